#include "daemon/listeners.h"

#include <unistd.h>

#include "net/socket.h"

namespace sidegate::daemon {
namespace {

void close_all(std::vector<BoundListener>& bound) {
  for (BoundListener& listener : bound) {
    for (int fd : listener.descriptors) close(fd);
  }
  bound.clear();
}

}  // namespace

Result<std::vector<BoundListener>> bind_listeners(const std::vector<intake::ListenerSettings>& listeners,
                                                  unsigned loops, std::vector<std::string>* warnings) {
  std::vector<BoundListener> bound;
  for (const intake::ListenerSettings& settings : listeners) {
    auto policy = intake::ListenerPolicy::make(settings);
    if (!policy) {
      close_all(bound);
      return std::unexpected(policy.error());
    }
    net::Endpoint at{settings.address, settings.port};
    Result<std::vector<int>> descriptors = net::bind_listener(at, loops);
    if (!descriptors && descriptors.error().kind == ErrorKind::kUnreachable && listeners.size() > 1) {
      warnings->push_back(
          fmt::format("listener \"{}\": {} is not on this machine, it is left out", settings.name, at.text()));
      continue;
    }
    if (!descriptors) {
      close_all(bound);
      return fail(descriptors.error().kind,
                  fmt::format("listener \"{}\": {}", settings.name, descriptors.error().text));
    }
    bound.push_back({std::move(*policy), std::move(*descriptors)});
  }
  if (bound.empty())
    return fail(ErrorKind::kUnreachable, "no listener could be bound: none of their addresses is on this machine");
  return bound;
}

}  // namespace sidegate::daemon
