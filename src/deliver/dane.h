// Which of DANE's records hold for one mail exchanger (RFC 7672 section 2.2): its addresses, its aliases and its TLSA
// records, asked of the validator.
#pragma once

#include <string>
#include <vector>

#include "deliver/tls_policy.h"
#include "dns/resolver.h"

namespace sidegate::deliver {

// What the validator's answer to a question for TLSA records comes to, for the base domain. Pure.
DaneFound read_tlsa(const dns::Answer& answer, const std::string& base);

// host: named by a proven MX record, or the domain itself where it is proven that it has none. port: of the TLSA
// records.
net::Awaitable<DaneFound> find_dane(net::Loop& loop, dns::Resolver& resolver, std::string host, std::uint16_t port);

}  // namespace sidegate::deliver
