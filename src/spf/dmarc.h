// DMARC's policy record and alignment (RFC 7489 sections 3.1, 6.3). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sidegate::spf {

enum class Policy : std::uint8_t { kNone, kQuarantine, kReject };
const char* name(Policy policy);

struct Dmarc {
  Policy policy = Policy::kNone, subdomains = Policy::kNone;
  bool strict_spf = false, strict_dkim = false;
  std::string reports{};  // rua
  bool operator==(const Dmarc&) const = default;
};

// RFC 7489 section 6.3: "v=DMARC1" comes first.
bool is_dmarc(std::string_view text);
Result<Dmarc> parse_dmarc(std::string_view text);

// The domain below which all is one organisation's: an approximation without the list of public suffixes, good for
// "example.org", "example.co.jp" and the like.
std::string organizational_domain(std::string_view domain);
// Section 3.1: the same, or (relaxed) of the same organisation.
bool is_aligned(std::string_view from, std::string_view authenticated, bool strict);

}  // namespace sidegate::spf
