// The control socket: who may open it (mode 0660) is the operator; who did is logged (SO_PEERCRED).
#pragma once

#include <memory>
#include <string>

#include "admin/control.h"
#include "net/loop.h"

namespace sidegate::admin {

// Binds the socket, mode 0660, and gives it to `group` where that exists. Before privileges are dropped.
Result<int> bind_control_socket(const std::string& path, const std::string& group);

class ControlServer {
 public:
  ControlServer(net::Loop& loop, int fd, Control& control);  // takes the descriptor; control outlives it
  ~ControlServer();
  void start();
  // From any thread: no new sessions, those under way end at their next wait.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// One client's whole session on a stream; for tests and for the server.
net::Awaitable<void> serve_control(net::Loop& loop, net::Stream& stream, Control& control);

}  // namespace sidegate::admin
