// From where one looks, and what the addresses of a mail server mean for those who want to reach it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "doctor/finding.h"

namespace sidegate::doctor {

struct Interface {
  std::string name;     // "eth0"
  std::string address;  // numeric
  unsigned prefix = 0;  // of its network, in bits of its own family
};

enum class Reach : std::uint8_t {
  kPublic,
  kLoopback,
  kLinkLocal,
  kPrivate,  // RFC 1918, RFC 4193
  kShared,   // RFC 6598 (100.64.0.0/10): the provider's own translation (CGNAT)
  kDsLite,   // RFC 7335 (192.0.0.0/29): IPv4 inside IPv6, shared behind the provider
  kNone,     // no address at all
};
Reach reach(const std::string& address);

enum class Vantage : std::uint8_t {
  kSameHost,
  kSameNetwork,  // one network with it: no router between
  kPrivate,      // behind a router of the same house: its address is private
  kOutside,
};
Vantage vantage(const std::vector<Interface>& own, const std::string& address);

// One sentence, as a finding "vantage": what was seen from here says about the world.
Finding tell_vantage(Vantage from, const std::vector<Interface>& own, const std::string& place);

// What a name's addresses in DNS come to, beside those of this machine. names_own: the machine is the one that is
// meant; else somebody else's addresses are told of as they are.
struct AddressFacts {
  std::string hostname;
  std::vector<Interface> own;
  Result<std::vector<std::string>> found;  // A and AAAA
  bool names_own = true;
};
Findings judge_addresses(const AddressFacts& facts);

}  // namespace sidegate::doctor
