#include "login/unix_stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "login/backend.h"

namespace sidegate::login {

Result<UnixStream> UnixStream::connect(const std::string& path, SteadyTime until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::kBadInput, path + ": the path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(errno_error(errno, path));
  UnixStream stream(fd, until);
  // Where the backlog is full a Unix socket says EAGAIN at once; it is asked again until the time is over.
  while (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EAGAIN && errno != EINTR) return std::unexpected(errno_error(errno, path));
    if (milliseconds_left(until) == 0) return fail(ErrorKind::kTimeout, path + ": busy");
    poll(nullptr, 0, 20);
  }
  return stream;
}

UnixStream::~UnixStream() {
  if (fd_ >= 0) close(fd_);
}

Status UnixStream::wait(short events) const {
  for (;;) {
    pollfd look{fd_, events, 0};
    int n = poll(&look, 1, milliseconds_left(until_));
    if (n > 0) return {};
    if (n == 0) return fail(ErrorKind::kTimeout, "no answer in time");
    if (errno != EINTR) return std::unexpected(errno_error(errno, "poll"));
  }
}

Status UnixStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (Status ready = wait(POLLOUT); !ready) return ready;
    } else if (errno != EINTR) {
      return std::unexpected(errno_error(errno, "writing"));
    }
  }
  return {};
}

Status UnixStream::fill() {
  for (;;) {
    if (Status ready = wait(POLLIN); !ready) return ready;
    char some[4096];
    ssize_t n = recv(fd_, some, sizeof some, 0);
    if (n > 0) {
      buffer_.append(some, static_cast<std::size_t>(n));
      return {};
    }
    if (n == 0) return fail(ErrorKind::kClosed, "the connection was closed");
    if (errno != EAGAIN && errno != EINTR) return std::unexpected(errno_error(errno, "reading"));
  }
}

Result<std::string> UnixStream::read_line(std::size_t most) {
  for (;;) {
    auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > most) return fail(ErrorKind::kTooLarge, "a line without end");
    if (Status filled = fill(); !filled) return std::unexpected(filled.error());
  }
}

Result<std::string> UnixStream::read(std::size_t n) {
  while (buffer_.size() < n) {
    if (Status filled = fill(); !filled) return std::unexpected(filled.error());
  }
  std::string out = buffer_.substr(0, n);
  buffer_.erase(0, n);
  return out;
}

}  // namespace sidegate::login
