#include "net/networks.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace sidegate::net {
namespace {

constexpr AddressOctets kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

bool bit(const AddressOctets& address, unsigned i) {
  return (address[i / 8] >> (7 - i % 8)) & 1;
}

}  // namespace

std::optional<AddressOctets> parse_address(std::string_view text) {
  std::string copy(text.substr(0, text.find('%')));
  AddressOctets address = kMapped;
  if (inet_pton(AF_INET, copy.c_str(), address.data() + 12) == 1) return address;
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

std::string address_text(const AddressOctets& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = is_ipv4(address);
  inet_ntop(v4 ? AF_INET : AF_INET6, address.data() + (v4 ? 12 : 0), text.data(), text.size());
  return text.data();
}

Result<Network> Network::parse(std::string_view text) {
  std::size_t slash = text.find('/');
  auto address = parse_address(text.substr(0, slash));
  if (!address || text.find('%') != std::string_view::npos) {
    return fail(ErrorKind::kBadInput,
                "\"" + std::string(text) + "\" is no network; write 192.0.2.0/24 or 2001:db8::/32");
  }
  bool v4 = is_ipv4(*address) && text.find(':') == std::string_view::npos;
  unsigned most = v4 ? 32 : 128;
  unsigned prefix = most;
  if (slash != std::string_view::npos) {
    auto number = parse_number(text.substr(slash + 1));
    if (!number || *number > most) {
      return fail(ErrorKind::kBadInput,
                  "the prefix of \"" + std::string(text) + "\" is a number from 0 to " + std::to_string(most));
    }
    prefix = static_cast<unsigned>(*number);
  }
  Network network{*address, v4 ? prefix + kMappedBits : prefix};
  for (unsigned i = network.prefix; i < 128; ++i) {
    if (bit(network.address, i)) {
      return fail(ErrorKind::kBadInput, "\"" + std::string(text) + "\" has bits set behind its prefix of " +
                                            std::to_string(prefix) + "; a single host is written without a prefix");
    }
  }
  return network;
}

bool Network::contains(const AddressOctets& other) const {
  unsigned whole = prefix / 8, rest = prefix % 8;
  if (!std::equal(address.begin(), address.begin() + whole, other.begin())) return false;
  if (rest == 0) return true;
  unsigned mask = 0xff00u >> rest & 0xff;
  return (address[whole] & mask) == (other[whole] & mask);
}

bool is_ipv4(const AddressOctets& address) {
  return std::equal(kMapped.begin(), kMapped.begin() + 12, address.begin());
}

AddressOctets host_key(AddressOctets address) {
  if (!is_ipv4(address)) std::fill(address.begin() + 8, address.end(), std::uint8_t{0});
  return address;
}

bool is_loopback(const AddressOctets& address) {
  if (is_ipv4(address)) return address[12] == 127;
  return std::all_of(address.begin(), address.end() - 1, [](std::uint8_t octet) { return octet == 0; }) &&
         address[15] == 1;
}

}  // namespace sidegate::net
