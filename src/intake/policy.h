// What one listener lets whom do: its settings with everything parsed that can be parsed once. Immutable; a session
// keeps the one it began with.
#pragma once

#include <memory>
#include <vector>

#include "intake/networks.h"
#include "intake/settings.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

struct ListenerPolicy {
  ListenerSettings settings;
  std::vector<Network> networks;
  bool on_loopback = false;  // the listener's own address is 127.0.0.0/8, ::1 or a Unix socket
  static Result<std::shared_ptr<const ListenerPolicy>> make(ListenerSettings settings);
};

// Promise 6: relaying needs AUTH, a Unix peer or a listed network. Loopback counts only where the listener itself is on
// loopback: behind a port forward or a container's proxy the whole world appears as 127.0.0.1.
bool may_relay(const smtp::SessionInfo& session, const ListenerPolicy& policy);

}  // namespace sidegate::intake
