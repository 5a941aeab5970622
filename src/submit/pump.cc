#include "submit/pump.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sidegate::submit {
namespace {

// All of it, waiting where the other side is slow; false: it is gone.
template <typename Write>
bool write_all(int fd, std::string_view bytes, Write write) {
  while (!bytes.empty()) {
    const ssize_t n = write(bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    pollfd waiting{fd, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&waiting, 1, -1) < 0) return false;
  }
  return true;
}

bool say(std::string_view bytes) {
  return write_all(STDOUT_FILENO, bytes,
                   [](const char* from, std::size_t n) { return ::write(STDOUT_FILENO, from, n); });
}

bool send(int fd, std::string_view bytes) {
  return write_all(fd, bytes, [fd](const char* from, std::size_t n) { return ::send(fd, from, n, MSG_NOSIGNAL); });
}

}  // namespace

std::string LineEnds::convert(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 64);
  for (char c : bytes) {
    if (c == '\n' && style_ == Style::kUnknown) style_ = last_ == '\r' ? Style::kAsItIs : Style::kLf;
    if (c == '\n' && style_ == Style::kLf && last_ != '\r') out += '\r';
    out += c;
    last_ = c;
  }
  return out;
}

bool pump(int fd, std::string_view already) {
  LineEnds ends;
  bool good = say(already);
  bool more = true;
  char bytes[32 * 1024];
  while (good) {
    // What the program says is read only when the server has taken what came before: nobody stores anything here.
    pollfd waiting[2] = {{fd, POLLIN, 0}, {more ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) {
      if (errno == EINTR) continue;
      good = false;
      break;
    }
    if (waiting[0].revents != 0) {
      const ssize_t n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n == 0) break;
      if (n < 0 && errno != EAGAIN && errno != EINTR) good = false;
      if (n > 0 && !say({bytes, static_cast<std::size_t>(n)})) good = false;
    }
    if (good && waiting[1].revents != 0) {
      const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (n > 0) {
        good = send(fd, ends.convert({bytes, static_cast<std::size_t>(n)}));
      } else if (n == 0 || errno != EINTR) {
        more = false;
        ::shutdown(fd, SHUT_WR);
      }
    }
  }
  ::close(fd);
  return good;
}

}  // namespace sidegate::submit
