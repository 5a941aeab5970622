// TLSA records (RFC 6698) as mail servers use them (RFC 7672), and names that a certificate may have. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::tls {

struct Tlsa {
  std::uint8_t usage = 3, selector = 1, matching = 1;
  std::string data;  // octets
  bool operator==(const Tlsa&) const = default;
};

// "3 1 1 0123abcd..."; nullopt: malformed.
std::optional<Tlsa> parse_tlsa(std::string_view text);
std::string text_of(const Tlsa& record);

// Whether mail may rest on it: usage DANE-TA(2) or DANE-EE(3), a selector and a matching type that are known, and data
// of that form. RFC 7672 section 3.1.3: PKIX-TA(0) and PKIX-EE(1) are unusable.
bool is_usable(const Tlsa& record);

// A certificate's name against a pattern, without regard to case: "example.org"; ".example.org" is what is below it. In
// the name alone "*" may stand for one whole label, the left-most (RFC 6125 section 6.4.3, as Postfix reads it).
bool name_fits(std::string_view name, std::string_view pattern);

}  // namespace sidegate::tls
