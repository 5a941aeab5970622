#include "doctor/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <bit>

namespace sidegate::doctor {
namespace {

unsigned bits_of(const unsigned char* mask, std::size_t octets) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < octets; ++i) bits += static_cast<unsigned>(std::popcount(mask[i]));
  return bits;
}

void add(const ifaddrs& one, std::vector<Interface>& all) {
  char text[INET6_ADDRSTRLEN] = "";
  Interface found{one.ifa_name, {}, 0};
  if (one.ifa_addr->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one.ifa_addr)->sin_addr, text, sizeof text);
    const auto* mask = reinterpret_cast<const sockaddr_in*>(one.ifa_netmask);
    found.prefix = mask == nullptr ? 32 : bits_of(reinterpret_cast<const unsigned char*>(&mask->sin_addr), 4);
  } else if (one.ifa_addr->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one.ifa_addr)->sin6_addr, text, sizeof text);
    const auto* mask = reinterpret_cast<const sockaddr_in6*>(one.ifa_netmask);
    found.prefix = mask == nullptr ? 128 : bits_of(mask->sin6_addr.s6_addr, 16);
  } else {
    return;
  }
  found.address = text;
  all.push_back(std::move(found));
}

}  // namespace

std::vector<Interface> own_interfaces() {
  std::vector<Interface> all;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return all;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr != nullptr && (one->ifa_flags & IFF_UP) != 0) add(*one, all);
  }
  freeifaddrs(list);
  return all;
}

}  // namespace sidegate::doctor
