#include "dns/reverse.h"

#include <arpa/inet.h>

#include <array>

namespace sidegate::dns {

std::optional<std::string> reverse_name(std::string_view address, std::string_view zone) {
  const std::string text(address.substr(0, address.find('%')));
  std::array<unsigned char, 16> octets{};
  std::string out;
  if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
    for (int i = 3; i >= 0; --i) out += std::to_string(octets[static_cast<std::size_t>(i)]) + '.';
  } else if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (int i = 15; i >= 0; --i) {
      const unsigned octet = octets[static_cast<std::size_t>(i)];
      out += {kDigits[octet & 15], '.', kDigits[octet >> 4], '.'};
    }
  } else {
    return std::nullopt;
  }
  return out.append(zone);
}

std::optional<std::string> reverse_name(std::string_view address) {
  const bool six = address.find(':') != std::string_view::npos;
  return reverse_name(address, six ? "ip6.arpa" : "in-addr.arpa");
}

}  // namespace sidegate::dns
