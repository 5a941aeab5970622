// The server: every room's objects, made in order, wired, and taken down in order. One per process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "daemon/listeners.h"

namespace sidegate::daemon {

struct About {  // for `status`
  std::string version;
  std::string sandbox;           // what the process has given up
  std::vector<std::string> off;  // and what it could not, in sentences
};

class Server {
 public:
  // Opens the queue and begins to serve; the schedule is loaded beside it. control_descriptor: the bound control
  // socket, or -1. reload: what the control socket's `reload` does, called on the worker pool; keys that need a restart
  // come back. helper_descriptor: the socket of the local delivery helper, or -1.
  static Result<std::unique_ptr<Server>> start(config::Loaded loaded, std::vector<BoundListener> listeners,
                                               int control_descriptor, int helper_descriptor, About about, Log& log,
                                               std::function<Result<std::vector<std::string>>()> reload);
  ~Server();

  // A new configuration for what begins from now on; sessions and connections keep the snapshot they began with. From
  // any thread. Returns the keys that only a restart brings into force.
  Result<std::vector<std::string>> reload(config::Loaded loaded);
  // Calls `then` (on an I/O thread) once every I/O thread has had a turn; a thread that hangs keeps it from being
  // called.
  void when_all_have_had_a_turn(std::function<void()> then);
  std::string status_line() const;  // for who looks at the service: "12 messages in the queue, 3 being delivered"
  // No new connection is taken; transactions under way end by themselves within `limit`, then with 421. Blocks. Returns
  // false when something would not end in time (the queue is closed all the same; the process should then just exit).
  bool drain(Duration limit);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sidegate::daemon
