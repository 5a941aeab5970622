#include "deliver/public_address.h"

#include <algorithm>

#include "base/text.h"
#include "net/networks.h"

namespace sidegate::deliver {
namespace {

// RFC 6890 and its successors' registries: what is not reachable from everywhere. The networks of documentation are
// left out: they harm nobody, and tests live in them.
constexpr const char* kNotPublic[] = {
    "0.0.0.0/8",     "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15",  "224.0.0.0/4",
    "240.0.0.0/4",   "::/128",       "::1/128",        "64:ff9b:1::/48", "100::/64",
    "fc00::/7",      "fe80::/10",    "fec0::/10",      "ff00::/8",
};

// Where a translator or a relay of the line would take an address of these leads to the IPv4 address inside: RFC 6052
// section 2.1 (NAT64), RFC 3056 section 2 (6to4), RFC 4291 section 2.5.5.1. As the IPv4-mapped form; others as they
// are.
net::AddressOctets as_reached(const net::AddressOctets& octets) {
  struct Prefix {
    std::uint8_t first[12];
    unsigned length, at;  // octets: of the prefix; where the IPv4 address begins
  };
  constexpr Prefix kTranslated[] = {{{0x00, 0x64, 0xff, 0x9b}, 12, 12}, {{0x20, 0x02}, 2, 2}, {{}, 12, 12}};
  for (const Prefix& prefix : kTranslated) {
    if (!std::equal(prefix.first, prefix.first + prefix.length, octets.begin())) continue;
    net::AddressOctets inside{};
    inside[10] = inside[11] = 0xff;
    std::copy_n(octets.begin() + prefix.at, 4, inside.begin() + 12);
    return inside;
  }
  return octets;
}

const std::vector<net::Network>& not_public() {
  static const std::vector<net::Network> all = [] {
    std::vector<net::Network> networks;
    for (const char* text : kNotPublic) networks.push_back(*net::Network::parse(text));
    return networks;
  }();
  return all;
}

std::string network(std::string_view address, unsigned four, unsigned six) {
  auto octets = net::parse_address(address);
  if (!octets) return {};
  const bool is_four = address.find(':') == std::string_view::npos;
  const unsigned bits = is_four ? 96 + four : six;
  for (unsigned bit = bits; bit < 128; ++bit) (*octets)[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return net::address_text(*octets);
}

}  // namespace

bool is_public(std::string_view address) {
  const auto octets = net::parse_address(address);
  if (!octets || address.find('%') != std::string_view::npos) return false;
  const net::AddressOctets reached = as_reached(*octets);
  return std::ranges::none_of(not_public(), [&](const net::Network& one) { return one.contains(reached); });
}

bool leads_to_internet(const DirectSettings& direct, const std::string& address) {
  if (direct.private_addresses || is_public(address)) return true;
  const auto octets = net::parse_address(address);
  return octets && std::ranges::any_of(direct.private_networks, [&](const std::string& text) {
           auto network = net::Network::parse(text);
           return network && network->contains(*octets);
         });
}

std::string wide_network(std::string_view address) {
  return network(address, 16, 32);
}

std::string narrow_network(std::string_view address) {
  return network(address, 24, 48);
}

std::string organisation(std::string_view host) {
  const std::string name = lower(host);
  std::vector<std::string_view> labels = split(name, '.');
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  std::size_t keep = 2;
  constexpr std::string_view kBelowCountries[] = {"co",  "ne",  "or",  "ac",  "ad",  "ed",  "go", "gr",  "lg", "com",
                                                  "net", "org", "gov", "edu", "mil", "gob", "me", "ltd", "plc"};
  const bool country = labels.size() > 2 && labels.back().size() == 2;
  if (country && std::ranges::find(kBelowCountries, labels[labels.size() - 2]) != std::end(kBelowCountries)) keep = 3;
  std::string out;
  for (std::size_t i = labels.size() - std::min(keep, labels.size()); i < labels.size(); ++i) {
    if (!out.empty()) out += '.';
    out += labels[i];
  }
  return out;
}

}  // namespace sidegate::deliver
