#include "net/local_address.h"

#include "net/socket_stream.h"

namespace sidegate::net {

std::string local_address(const Stream& stream) {
  const auto* socket = dynamic_cast<const SocketStream*>(&stream);
  return socket ? socket->local_address() : std::string();
}

}  // namespace sidegate::net
