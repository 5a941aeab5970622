#include "daemon/listeners.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/socket.h"

namespace sidegate::daemon {
namespace {

void close_all(std::vector<BoundListener>& bound) {
  for (BoundListener& listener : bound) {
    for (int fd : listener.descriptors) close(fd);
  }
  bound.clear();
}

// A Unix socket is one for all loops: the same description once for each. Everybody may connect (mode 0666): who does
// is known by SO_PEERCRED.
Result<std::vector<int>> bind_any(const net::Endpoint& at, unsigned loops) {
  if (!at.address.starts_with('/')) return net::bind_listener(at, loops);
  auto fd = net::bind_unix_listener(at.address, 0666);
  if (!fd) return std::unexpected(fd.error());
  std::vector<int> all{*fd};
  while (all.size() < loops) {
    const int copy = fcntl(*fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      const int error = errno;
      for (int one : all) close(one);
      return std::unexpected(errno_error(error, "listening on " + at.address));
    }
    all.push_back(copy);
  }
  return all;
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
    Result<std::vector<int>> descriptors = bind_any(at, loops);
    if (!descriptors && settings.submit) {
      // Mail on the ports goes on; `sendmail` uses the drop directory.
      warnings->push_back("no submit socket: " + descriptors.error().text);
      continue;
    }
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

void refresh_policies(std::vector<BoundListener>& bound, const std::vector<intake::ListenerSettings>& listeners) {
  for (BoundListener& listener : bound) {
    const intake::ListenerSettings& old = listener.policy->settings;
    auto same = std::ranges::find_if(listeners, [&](const intake::ListenerSettings& settings) {
      return settings.address == old.address && settings.port == old.port;
    });
    if (same == listeners.end()) continue;
    if (auto policy = intake::ListenerPolicy::make(*same)) listener.policy = std::move(*policy);
  }
}

}  // namespace sidegate::daemon
