#include "admin/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

namespace sidegate::admin {
namespace {

constexpr std::size_t kMaxAnswer = 16 << 20;  // a message with many recipients and attempts

Status send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "control socket"));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<ControlClient> ControlClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ErrorKind::kBadInput, path + ": too long for a Unix socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno_error(errno, "socket"));
  ControlClient client(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return client;
  const int error = errno;
  // ECONNREFUSED is a socket left by a server that is gone.
  if (error == ENOENT || error == ECONNREFUSED) return fail(ErrorKind::kNotFound, "no server answers at " + path);
  return std::unexpected(errno_error(error, path));
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
ControlClient::~ControlClient() {
  if (fd_ >= 0) close(fd_);
}

Result<std::string> ControlClient::read_line(Duration silence) {
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kMaxAnswer) return fail(ErrorKind::kTooLarge, "the server's answer is too long");
    pollfd waiting{fd_, POLLIN, 0};
    int ready = poll(&waiting, 1, static_cast<int>(silence.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return fail(ErrorKind::kTimeout, "the server does not answer");
    char bytes[65536];
    ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error(errno, "control socket"));
    if (n == 0) return fail(ErrorKind::kClosed, "the server closed the connection");
    buffer_.append(bytes, static_cast<std::size_t>(n));
  }
}

Result<std::string> ControlClient::ask(const Request& request, const std::function<bool(std::string)>& on_row,
                                       Duration silence) {
  if (auto sent = send_all(fd_, request_line(request)); !sent) return std::unexpected(sent.error());
  for (;;) {
    auto line = read_line(silence);
    if (!line) return std::unexpected(line.error());
    auto answer = parse_answer(*line);
    if (!answer) return std::unexpected(answer.error());
    if (answer->kind == Answer::Kind::kError) return std::unexpected(answer->error);
    if (answer->kind == Answer::Kind::kDone) return std::move(answer->json);
    if (!on_row(std::move(answer->json))) return std::string("{}");
  }
}

}  // namespace sidegate::admin
