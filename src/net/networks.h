// Networks in CIDR form, IPv4 and IPv6, and the question whether an address is in one of them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::net {

// An address as 16 octets; IPv4 as ::ffff:a.b.c.d, so that a mapped address and the plain one are the same.
using AddressOctets = std::array<std::uint8_t, 16>;
std::optional<AddressOctets> parse_address(std::string_view text);  // a zone ("%eth0") is ignored
std::string address_text(const AddressOctets& address);             // "192.0.2.1", "2001:db8::1"

struct Network {
  AddressOctets address{};
  unsigned prefix = 128;  // bits of the 16 octets
  // "192.0.2.0/24", "2001:db8::/32", "192.0.2.1". Bits behind the prefix must be zero: "10.1.0.0/8" is a mistake.
  static Result<Network> parse(std::string_view text);
  bool contains(const AddressOctets& other) const;
};

bool is_ipv4(const AddressOctets& address);      // mapped or plain, which are the same here
bool is_loopback(const AddressOctets& address);  // 127.0.0.0/8, ::1

// What one client is counted by. RFC 4291 section 2.5.1: the lower 64 bits of an IPv6 address are the host's own to
// choose.
AddressOctets host_key(AddressOctets address);

}  // namespace sidegate::net
