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

class Server {
 public:
  // Opens the queue and begins to serve; the schedule is loaded beside it. listeners: taken over, also on failure.
  static Result<std::unique_ptr<Server>> start(const config::Loaded& loaded, std::vector<BoundListener> listeners,
                                               int control_descriptor, Log& log, std::function<Status()> reload);
  ~Server();

  // A new configuration for what begins from now on; sessions and connections keep the snapshot they began with.
  Status reload(const config::Loaded& loaded);
  // No new connection is taken; transactions under way end by themselves within `limit`, then with 421. Blocks. Returns
  // false when something would not end in time (the queue is closed all the same; the process should then just exit).
  bool drain(Duration limit);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sidegate::daemon
