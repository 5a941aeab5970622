#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <charconv>
#include <cstring>

#include "base/text.h"

namespace sidegate::net {
namespace {

// "fe80::1%eth0" and "fe80::1%2": the interface a link-local address belongs to.
unsigned scope_of(const std::string& zone) {
  if (auto number = parse_number(zone)) return static_cast<unsigned>(*number);
  return if_nametoindex(zone.c_str());
}

}  // namespace

std::optional<SocketAddress> SocketAddress::of(const Endpoint& endpoint) {
  SocketAddress made;
  auto& any = made.any_;
  std::string host = endpoint.address;
  if (host.starts_with('/')) {
    if (host.size() >= sizeof(any.path.sun_path) || endpoint.port != 0) return std::nullopt;
    any.path.sun_family = AF_UNIX;
    std::memcpy(any.path.sun_path, host.c_str(), host.size() + 1);
    made.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + host.size() + 1);
    return made;
  }
  if (endpoint.port > 65535 || host.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET, host.c_str(), &any.v4.sin_addr) == 1) {
    any.v4.sin_family = AF_INET;
    made.size_ = sizeof(any.v4);
  } else {
    std::size_t percent = host.find('%');
    if (percent != std::string::npos) {
      any.v6.sin6_scope_id = scope_of(host.substr(percent + 1));
      if (any.v6.sin6_scope_id == 0) return std::nullopt;
      host.resize(percent);
    }
    if (inet_pton(AF_INET6, host.c_str(), &any.v6.sin6_addr) != 1) return std::nullopt;
    any.v6.sin6_family = AF_INET6;
    made.size_ = sizeof(any.v6);
  }
  made.set_port(endpoint.port);
  return made;
}

unsigned SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(any_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(any_.v6.sin6_port);
  return 0;
}

void SocketAddress::set_port(unsigned port) {
  if (family() == AF_INET) any_.v4.sin_port = htons(static_cast<std::uint16_t>(port));
  if (family() == AF_INET6) any_.v6.sin6_port = htons(static_cast<std::uint16_t>(port));
}

std::string SocketAddress::text() const {
  char out[INET6_ADDRSTRLEN] = "";
  switch (family()) {
    case AF_INET:
      inet_ntop(AF_INET, &any_.v4.sin_addr, out, sizeof(out));
      return out;
    case AF_INET6: {
      if (IN6_IS_ADDR_V4MAPPED(&any_.v6.sin6_addr)) {
        inet_ntop(AF_INET, any_.v6.sin6_addr.s6_addr + 12, out, sizeof(out));
        return out;
      }
      inet_ntop(AF_INET6, &any_.v6.sin6_addr, out, sizeof(out));
      return out;
    }
    default:
      return "unix";
  }
}

bool SocketAddress::loopback() const {
  if (family() == AF_INET) return (ntohl(any_.v4.sin_addr.s_addr) >> 24) == 127;
  if (family() != AF_INET6) return false;
  const in6_addr& v6 = any_.v6.sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

Peer peer_of(const SocketAddress& address) {
  Peer peer;
  peer.address = address.text();
  peer.port = address.port();
  peer.loopback = address.loopback();
  peer.is_unix = address.family() == AF_UNIX;
  return peer;
}

Peer peer_of(const SocketAddress& address, int fd) {
  Peer peer = peer_of(address);
  if (!peer.is_unix) return peer;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  // An identity that cannot be read must not look like root's.
  bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0;
  peer.uid = known ? credentials.uid : static_cast<unsigned>(-1);
  return peer;
}

}  // namespace sidegate::net
