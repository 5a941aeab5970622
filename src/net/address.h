// A socket address of any family we use. Internal to the room.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>

#include "net/socket.h"

namespace sidegate::net {

class SocketAddress {
 public:
  static std::optional<SocketAddress> of(const Endpoint& endpoint);  // nullopt: not numeric, path too long
  sockaddr* get() { return &any_.base; }
  const sockaddr* get() const { return &any_.base; }
  socklen_t size() const { return size_; }
  socklen_t* room() {  // for calls that fill it
    size_ = sizeof(any_);
    return &size_;
  }
  int family() const { return any_.base.sa_family; }
  unsigned port() const;
  void set_port(unsigned port);
  std::string text() const;  // IPv4-mapped IPv6 as IPv4
  bool loopback() const;

 private:
  union {
    sockaddr base;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un path;
  } any_{};
  socklen_t size_ = 0;
};

Peer peer_of(const SocketAddress& address);          // uid not known
Peer peer_of(const SocketAddress& address, int fd);  // with SO_PEERCRED

}  // namespace sidegate::net
