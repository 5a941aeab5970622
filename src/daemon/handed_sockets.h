// Listening sockets that are open before we begin: systemd's socket activation (sd_listen_fds(3)), and those that we
// kept for ourselves when a new binary takes our place (upgrade.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/socket.h"

namespace sidegate::daemon {

struct HandedSocket {
  int fd = -1;
  std::string name;  // FileDescriptorName= of the socket unit; empty: none
  net::Endpoint at;
  bool kept = false;  // by us, over an upgrade
};

class HandedSockets {
 public:
  HandedSockets() = default;
  explicit HandedSockets(std::vector<HandedSocket> sockets) : sockets_(std::move(sockets)) {}
  // Takes what $LISTEN_FDS and $SIDEGATE_KEPT_SOCKETS name and removes the variables: no child takes it for its own.
  // kBadInput: a descriptor that is no listening stream socket.
  static Result<HandedSockets> of_environment();

  // Those that listen at `at`; without any, those of that name that systemd handed over. They are the caller's now.
  std::vector<HandedSocket> take(const net::Endpoint& at, std::string_view name);
  std::size_t most_at_one_place() const;  // sockets
  // At the end: what systemd handed over and nothing is configured for is an error; what we kept ourselves is closed,
  // with a warning.
  Status close_rest(std::vector<std::string>* warnings);

 private:
  std::vector<HandedSocket> sockets_;
};

}  // namespace sidegate::daemon
