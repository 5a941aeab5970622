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

// Fewer sockets than loops (a Unix socket, one that systemd made): the same descriptions again.
Result<std::vector<int>> one_each(std::vector<int> all, const net::Endpoint& at, unsigned loops) {
  for (std::size_t i = 0; all.size() < loops; ++i) {
    const int copy = fcntl(all[i], F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      const int error = errno;
      for (int one : all) close(one);
      return std::unexpected(errno_error(error, "listening on " + at.text()));
    }
    all.push_back(copy);
  }
  return all;
}

// Everybody may connect to a Unix socket (mode 0666): who does is known by SO_PEERCRED.
Result<std::vector<int>> bind_any(const net::Endpoint& at, unsigned loops) {
  if (!at.address.starts_with('/')) return net::bind_listener(at, loops);
  auto fd = net::bind_unix_listener(at.address, 0666);
  if (!fd) return std::unexpected(fd.error());
  return one_each({*fd}, at, loops);
}

struct Opened {
  std::vector<int> descriptors;
  std::string handed_as;
};

Result<Opened> open_any(const intake::ListenerSettings& settings, unsigned loops, HandedSockets& handed,
                        std::vector<std::string>* warnings) {
  const net::Endpoint at{settings.address, settings.port};
  Opened opened;
  for (const HandedSocket& socket : handed.take(at, settings.name)) {
    opened.descriptors.push_back(socket.fd);
    if (net::same_place(socket.at, at)) continue;
    opened.handed_as = socket.name;
    warnings->push_back(fmt::format("listener \"{}\": systemd's socket of that name listens at {}, not at {}",
                                    settings.name, socket.at.text(), at.text()));
  }
  auto all = opened.descriptors.empty() ? bind_any(at, loops) : one_each(opened.descriptors, at, loops);
  if (!all) return std::unexpected(all.error());
  opened.descriptors = std::move(*all);
  return opened;
}

}  // namespace

Result<std::vector<BoundListener>> bind_listeners(const std::vector<intake::ListenerSettings>& listeners,
                                                  unsigned loops, HandedSockets& handed,
                                                  std::vector<std::string>* warnings) {
  std::vector<BoundListener> bound;
  for (const intake::ListenerSettings& settings : listeners) {
    auto policy = intake::ListenerPolicy::make(settings);
    if (!policy) {
      close_all(bound);
      return std::unexpected(policy.error());
    }
    net::Endpoint at{settings.address, settings.port};
    Result<Opened> opened = open_any(settings, loops, handed, warnings);
    if (!opened && settings.submit) {
      // Mail on the ports goes on; `sendmail` uses the drop directory.
      warnings->push_back("no submit socket: " + opened.error().text);
      continue;
    }
    if (!opened && opened.error().kind == ErrorKind::kUnreachable && listeners.size() > 1) {
      warnings->push_back(
          fmt::format("listener \"{}\": {} is not on this machine, it is left out", settings.name, at.text()));
      continue;
    }
    if (!opened) {
      close_all(bound);
      return fail(opened.error().kind, fmt::format("listener \"{}\": {}", settings.name, opened.error().text));
    }
    bound.push_back({std::move(*policy), std::move(opened->descriptors), std::move(opened->handed_as)});
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
