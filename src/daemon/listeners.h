// The listening sockets: bound once at start, before root is given up.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/handed_sockets.h"
#include "intake/policy.h"

namespace sidegate::daemon {

struct BoundListener {
  std::shared_ptr<const intake::ListenerPolicy> policy;
  std::vector<int> descriptors;  // one a loop
  std::string handed_as;         // the name by which a socket of systemd's was matched; empty: by its address, or ours
};

// All or none: an error closes what was bound before. It names the listener, and for an address of a family that this
// machine does not have (::1 without IPv6) a warning is appended instead, as long as another listener stands. What is
// open already in `handed` is taken from there and not bound.
Result<std::vector<BoundListener>> bind_listeners(const std::vector<intake::ListenerSettings>& listeners,
                                                  unsigned loops, HandedSockets& handed,
                                                  std::vector<std::string>* warnings);

// New settings for sockets that stay as they were bound: a listener is known by its address and port.
void refresh_policies(std::vector<BoundListener>& bound, const std::vector<intake::ListenerSettings>& listeners);

}  // namespace sidegate::daemon
