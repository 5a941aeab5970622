#include "dns/exchangers.h"

#include <algorithm>
#include <random>

#include "base/text.h"
#include "mail/mailbox.h"
#include "net/networks.h"

namespace sidegate::dns {

Exchangers read_exchangers(const std::vector<std::string>& records, std::uint32_t random) {
  Exchangers found;
  bool null_mx = false;
  for (std::string_view record : records) {
    const auto space = record.find(' ');
    if (space == std::string_view::npos) continue;
    const auto preference = parse_number(record.substr(0, space));
    std::string host = lower(record.substr(space + 1));
    if (!preference || *preference > 65535) continue;
    null_mx |= host == ".";
    if (host.ends_with('.')) host.pop_back();
    // RFC 5321 section 5.1: the data must be a domain name; an address there is a mistake that others make up for.
    if (host.empty() || !mail::is_domain(host, false) || net::parse_address(host)) continue;
    found.list.push_back({static_cast<unsigned>(*preference), std::move(host)});
  }
  // RFC 7505 section 3: the null MX stands alone; beside others it is passed over.
  found.null_mx = null_mx && found.list.empty();
  std::minstd_rand generator(random);
  std::ranges::shuffle(found.list, generator);
  std::ranges::sort(found.list, {}, &Exchanger::preference);  // among equals the shuffle decides
  if (found.list.size() > kMostExchangers) found.list.resize(kMostExchangers);
  return found;
}

std::optional<std::string> address_of_literal(std::string_view domain) {
  if (!domain.starts_with('[') || !domain.ends_with(']')) return std::nullopt;
  std::string text = lower(domain.substr(1, domain.size() - 2));
  const bool six = text.starts_with("ipv6:");
  if (six) text.erase(0, 5);
  if (six != (text.find(':') != std::string::npos)) return std::nullopt;  // the tag belongs to IPv6, and it alone
  const auto octets = net::parse_address(text);
  if (!octets || text.find('%') != std::string::npos) return std::nullopt;
  return net::address_text(*octets);
}

}  // namespace sidegate::dns
