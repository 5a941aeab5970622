// Option negotiation: what we offer, and what a filter makes of it. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "milter/macros.h"
#include "milter/protocol.h"

namespace sidegate::milter {

struct Options {
  std::uint32_t version = kVersion;
  std::uint32_t actions = action::kAll;
  std::uint32_t protocol = protocol::kAll;
  bool has(std::uint32_t protocol_flag) const { return (protocol & protocol_flag) != 0; }
};

// What is offered to a filter that is not to hear of a newer version than this one.
Options offer_of(std::uint32_t version);
std::string encode_options(const Options& offer);

struct Agreed {
  Options options = {};
  std::array<std::vector<std::string>, kStages> macros = {};  // that the filter asked for, or the usual ones
  const std::vector<std::string>& macros_at(Stage stage) const { return macros[static_cast<std::size_t>(stage)]; }
};

// kProtocol where the filter's answer (the packet's data) fits no offer of ours: newer than we are, or it wants to do
// what was not offered.
Result<Agreed> agree(const Options& offer, std::string_view answer);

}  // namespace sidegate::milter
