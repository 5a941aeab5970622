// The server process: an unprivileged user inside its sandbox, from its first thread to its last.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "daemon/channel.h"
#include "daemon/listeners.h"

namespace sidegate::daemon {

struct ServerInput {
  config::LoadRequest request;  // for a reload: the same, with the files that the parent hands over
  config::Loaded loaded;
  std::vector<BoundListener> listeners;
  int control = -1;                   // the bound control socket
  int helper = -1;                    // the socket of the helper process
  std::vector<std::string> warnings;  // for the log, once it runs
  std::size_t descriptors = 0;
  std::string version;
};

// Gives up root and enters the sandbox, serves until SIGTERM or SIGINT (or until the parent is gone), drains. Returns
// the process's exit code (sysexits). Signals are blocked when it is called.
int serve(ServerInput input, Channel parent);

}  // namespace sidegate::daemon
