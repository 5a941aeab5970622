// The policy file: which hosts take a domain's mail, and whether others are an error (RFC 8461 sections 3.2, 4.1).
// Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::mta_sts {

enum class Mode : std::uint8_t { kNone, kTesting, kEnforce };
const char* name(Mode mode);  // "enforce": the policy's own words

inline constexpr std::size_t kLargestPolicy = 64 * 1024;  // RFC 8461 section 3.3: a limit of the like of 64 kilobytes
inline constexpr std::chrono::seconds kLongestAge{31557600};

struct Policy {
  Mode mode = Mode::kNone;
  std::chrono::seconds max_age{};  // more than kLongestAge is kLongestAge
  std::vector<std::string> mx;     // in lower case: "mail.example.org", "*.example.net"
  bool operator==(const Policy&) const = default;
};

// kBadInput says what is wrong with it.
Result<Policy> parse_policy(std::string_view text);

// Whether a host is one of those that the policy lists. A final dot and letter case do not count.
bool matches(const Policy& policy, std::string_view host);
bool matches_pattern(std::string_view pattern, std::string_view host);

// The policy as it is told to others (RFC 8460 section 4.4, "policy-string"): a field for each line.
std::vector<std::string> lines_of(const Policy& policy);

}  // namespace sidegate::mta_sts
