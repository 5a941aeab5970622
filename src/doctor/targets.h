// Hosts in the world that are connected to, to see what this network lets through. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::doctor {

inline constexpr std::uint16_t kMailPorts[] = {25, 465, 587, 2525, 443};

struct Target {
  std::string host;                  // a name or a numeric address, without brackets
  std::vector<std::uint16_t> ports;  // what it listens on
  bool chosen = false;               // the ports were named: it is known to listen there
  bool operator==(const Target&) const = default;
};

// "mx.example.org:25", "smtp.example.org:465,587", "[2001:db8::1]:25", and a host alone: all of kMailPorts are tried
// there.
Result<Target> parse_target(std::string_view text);
Status check_target(std::string& text);  // for a configuration's row

// Public mail hosts of several unrelated providers, by name.
const std::vector<std::string>& default_targets();

// Whose a host is: the domain below which all names are one owner's, as well as that can be told without a list of
// public suffixes ("smtp.example.co.jp" -> "example.co.jp"); a numeric address: its network.
std::string owner_of(std::string_view host);

}  // namespace sidegate::doctor
