#include <unistd.h>

#include "net/address.h"
#include "net/socket.h"

namespace sidegate::net {

// A datagram socket that is "connected" has asked the routing table for a source address and sent nothing; towards an
// address of this machine the source is that very address.
bool is_own_address(const std::string& address) {
  auto to = SocketAddress::of({address, 9});
  if (!to || (to->family() != AF_INET && to->family() != AF_INET6)) return false;
  if (to->loopback()) return true;
  const int fd = ::socket(to->family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool own = false;
  if (::connect(fd, to->get(), to->size()) == 0) {
    SocketAddress from = *to;
    own = ::getsockname(fd, from.get(), from.room()) == 0 && from.text() == to->text();
  }
  ::close(fd);
  return own;
}

}  // namespace sidegate::net
