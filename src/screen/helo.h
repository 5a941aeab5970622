// What a stranger calls itself in HELO or EHLO, and what is wrong with that. RFC 5321 section 4.1.4 lets no mail be
// refused for it by default, so whatever is looked at here an operator has asked for.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "net/networks.h"

namespace sidegate::screen {

// "[192.0.2.1]", "[IPv6:2001:db8::1]", also without brackets: the address.
std::optional<net::AddressOctets> address_in(std::string_view helo);

enum class HeloCheck : std::uint8_t { kSyntax, kOwnName, kNotQualified, kUnresolvable };
std::string_view word_of(HeloCheck check);  // as settings and headers have it
std::optional<HeloCheck> helo_check(std::string_view word);

// The first of `checks` that the name does not pass, of those that need no DNS. client: the peer's address; own: our
// name.
std::optional<HeloCheck> judge_helo(std::string_view helo, std::string_view client, std::string_view own,
                                    const std::vector<HeloCheck>& checks);

}  // namespace sidegate::screen
