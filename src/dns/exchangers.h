// Where mail for a domain goes: its MX records, as RFC 5321 section 5.1 and RFC 7505 read them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::dns {

struct Exchanger {
  unsigned preference = 0;
  std::string host;  // lower case; of an address literal the numeric address
  bool operator==(const Exchanger&) const = default;
};

struct Exchangers {
  std::vector<Exchanger> list;  // the best first
  bool implicit = false;        // there are no MX records: the domain itself
  bool null_mx = false;         // the domain takes no mail (RFC 7505)
};

inline constexpr std::size_t kMostExchangers = 20;

// From the records as text ("10 mx.example.org"). Names that are none (an address, say) are passed over; the list is
// then empty, which is somebody's mistake and no null MX. Equal preferences are shuffled with `random`.
Exchangers read_exchangers(const std::vector<std::string>& records, std::uint32_t random);

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3) to the numeric address.
std::optional<std::string> address_of_literal(std::string_view domain);

}  // namespace sidegate::dns
