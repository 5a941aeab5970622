#include "daemon/notify_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kLongestInterval{10'000};
constexpr std::size_t kMostStatus = 512;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string monotonic_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

}  // namespace

NotifySocket NotifySocket::of_environment() {
  const std::string path = variable("NOTIFY_SOCKET");
  if (path.empty() || (path.front() != '/' && path.front() != '@')) return {};
  Duration watchdog{0};
  const auto microseconds = parse_number(variable("WATCHDOG_USEC"));
  const std::string pid = variable("WATCHDOG_PID");
  if (microseconds && (pid.empty() || pid == std::to_string(getpid())))
    watchdog = Duration(static_cast<Duration::rep>(*microseconds / 1000));
  return {path, watchdog};
}

Duration NotifySocket::interval() const {
  if (watchdog_ == Duration(0)) return kLongestInterval;
  return std::clamp(watchdog_ / 3, Duration(1), kLongestInterval);
}

std::string NotifySocket::status_line(std::string_view text) {
  std::string line(text.substr(0, kMostStatus));
  while (line.size() < text.size() && !line.empty() && (text[line.size()] & 0xC0) == 0x80) line.pop_back();
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) c = ' ';
  }
  return line;
}

Status NotifySocket::ready(std::string_view status) const {
  return send("READY=1\nSTATUS=" + status_line(status));
}

// The time stamp is what Type=notify-reload goes by: not older than the signal that asked for the reload.
Status NotifySocket::reloading(std::string_view status) const {
  return send("RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds() + "\nSTATUS=" + status_line(status));
}

Status NotifySocket::stopping(std::string_view status) const {
  return send("STOPPING=1\nSTATUS=" + status_line(status));
}

Status NotifySocket::alive(std::string_view status) const {
  return send((watchdog_ > Duration(0) ? "WATCHDOG=1\nSTATUS=" : "STATUS=") + status_line(status));
}

Status NotifySocket::send(const std::string& text) const {
  if (path_.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) return fail(ErrorKind::kBadInput, "NOTIFY_SOCKET is too long");
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_.front() == '@') address.sun_path[0] = '\0';
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno_error(errno, "NOTIFY_SOCKET"));
  // A service manager that does not read must not stop the parent for ever.
  timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  ssize_t sent;
  do {
    sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  } while (sent < 0 && errno == EINTR);
  const int error = errno;
  close(fd);
  if (sent < 0) return std::unexpected(errno_error(error, "NOTIFY_SOCKET " + path_));
  return {};
}

}  // namespace sidegate::daemon
