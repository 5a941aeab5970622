#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/address.h"
#include "net/socket_stream.h"

namespace sidegate::net {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

void set(int fd, int level, int option) {
  int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof(on));
}

// After this without a sign from the peer's kernel the path is dead: our address has changed, a router has forgotten
// us. A slow peer is another matter: its kernel acknowledges at once what its program answers minutes later.
constexpr unsigned kUnacknowledgedMs = 60'000;

void give_up_on_a_dead_path(int fd) {
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof(kUnacknowledgedMs));
}

int open_socket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// The words of an operator's next step; empty: the error speaks for itself.
std::string advice(int error, const Endpoint& at) {
  switch (error) {
    case EADDRINUSE:
      return " (another program listens there: `ss -ltnp 'sport = :" + std::to_string(at.port) + "'` names it)";
    case EACCES:
    case EPERM:
      return at.port != 0 && at.port < 1024
                 ? " (ports below 1024 need root, CAP_NET_BIND_SERVICE or a systemd socket unit)"
                 : "";
    case EADDRNOTAVAIL:
      return " (no interface has this address: `ip address` lists them)";
    case EAFNOSUPPORT:
      return " (this system has no IPv6)";
    default:
      return "";
  }
}

Error listen_error(int error, const Endpoint& at) {
  Error failed = errno_error(error, "cannot listen on " + at.text());
  failed.text += advice(error, at);
  return failed;
}

// What accepted sockets inherit.
void set_inherited(int fd) {
  set(fd, IPPROTO_TCP, TCP_NODELAY);
  // What a client that does not read makes the kernel hold. Replies are small; its own bound is some MiB.
  int unsent = 64 * 1024;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unsent, sizeof(unsent));
}

Result<int> bind_one(const Endpoint& at, const SocketAddress& address, int backlog, bool shared) {
  Descriptor fd(open_socket(address.family()));
  if (fd.get() < 0) return std::unexpected(listen_error(errno, at));
  set(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (shared) set(fd.get(), SOL_SOCKET, SO_REUSEPORT);
  // One listener per family: the setting of the machine (bindv6only) must not matter.
  if (address.family() == AF_INET6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  set_inherited(fd.get());
  if (::bind(fd.get(), address.get(), address.size()) != 0) return std::unexpected(listen_error(errno, at));
  if (shared && ::listen(fd.get(), backlog) != 0) return std::unexpected(listen_error(errno, at));
  return fd.release();
}

// Whether somebody listens on a Unix socket's path: a file that nobody answers on is left from a crash.
bool answers(const SocketAddress& address) {
  Descriptor fd(open_socket(AF_UNIX));
  return ::connect(fd.get(), address.get(), address.size()) == 0 || errno == EAGAIN;
}

}  // namespace

std::string Endpoint::text() const {
  if (address.starts_with('/')) return address;
  std::string host = address.find(':') != std::string::npos ? "[" + address + "]" : address;
  return host + ":" + std::to_string(port);
}

Result<std::vector<int>> bind_listener(const Endpoint& at, unsigned count, int backlog) {
  auto address = SocketAddress::of(at);
  if (!address || address->family() == AF_UNIX) {
    return fail(ErrorKind::kBadInput, "cannot listen on " + at.text() + ": not a numeric address");
  }
  if (at.port != 0) {
    // SO_REUSEPORT would let a second server of the same user share our port in silence: asked once without it.
    auto probe = bind_one(at, *address, backlog, false);
    if (!probe) return std::unexpected(probe.error());
    ::close(*probe);
  }
  std::vector<int> bound;
  for (unsigned i = 0; i < std::max(count, 1u); ++i) {
    auto fd = bind_one(at, *address, backlog, true);
    if (!fd) {
      for (int taken : bound) ::close(taken);
      return std::unexpected(fd.error());
    }
    bound.push_back(*fd);
    if (i == 0 && at.port == 0) address->set_port(bound_port(*fd));
  }
  return bound;
}

Result<int> bind_unix_listener(const std::string& path, unsigned mode) {
  Endpoint at{path, 0};
  auto address = SocketAddress::of(at);
  if (!address || address->family() != AF_UNIX) {
    return fail(ErrorKind::kBadInput,
                "cannot listen on " + path + ": an absolute path of at most 107 octets is needed");
  }
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode))
      return fail(ErrorKind::kConflict, "cannot listen on " + path + ": it exists and is no socket");
    if (answers(*address))
      return fail(ErrorKind::kConflict, "cannot listen on " + path + ": another program listens there");
    ::unlink(path.c_str());
  }
  Descriptor fd(open_socket(AF_UNIX));
  if (fd.get() < 0) return std::unexpected(listen_error(errno, at));
  ::fchmod(fd.get(), static_cast<mode_t>(mode));  // before bind: the file is never more open than asked
  if (::bind(fd.get(), address->get(), address->size()) != 0) return std::unexpected(listen_error(errno, at));
  ::chmod(path.c_str(), static_cast<mode_t>(mode));  // what the umask took away
  if (::listen(fd.get(), 1024) != 0) return std::unexpected(listen_error(errno, at));
  return fd.release();
}

unsigned bound_port(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), address.room()) != 0) return 0;
  return address.port();
}

Result<Endpoint> listening_at(int fd) {
  int listening = 0, type = 0;
  socklen_t size = sizeof listening;
  const bool stream = ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
  size = sizeof listening;
  if (!stream || ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0)
    return fail(ErrorKind::kBadInput, "it is no listening stream socket");
  SocketAddress address;
  if (::getsockname(fd, address.get(), address.room()) != 0)
    return std::unexpected(errno_error(errno, "asking a socket for its address"));
  switch (address.family()) {
    case AF_INET:
    case AF_INET6:
      return Endpoint{address.text(), address.port()};
    case AF_UNIX: {
      const auto* path = reinterpret_cast<const sockaddr_un*>(address.get());
      if (path->sun_path[0] == '/') return Endpoint{path->sun_path, 0};
      return fail(ErrorKind::kBadInput, "it is a Unix socket without a path");
    }
    default:
      return fail(ErrorKind::kBadInput, "it is of a family that carries no mail here");
  }
}

void adopt_listener(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  SocketAddress address;
  if (::getsockname(fd, address.get(), address.room()) == 0 && address.family() != AF_UNIX) set_inherited(fd);
}

bool same_place(const Endpoint& a, const Endpoint& b) {
  if (a.address.starts_with('/') || b.address.starts_with('/')) return a.address == b.address;  // a path has no port
  if (a.port != b.port) return false;
  if (a.address == b.address) return true;
  const auto one = SocketAddress::of(a), other = SocketAddress::of(b);
  return one && other && one->text() == other->text();
}

Awaitable<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Endpoint to, Duration timeout, std::string source) {
  auto trouble = [&to](int error) { return std::unexpected(errno_error(error, "cannot connect to " + to.text())); };
  auto address = SocketAddress::of(to);
  if (!address) co_return fail(ErrorKind::kBadInput, "cannot connect to " + to.text() + ": not a numeric address");
  Descriptor fd(open_socket(address->family()));
  if (fd.get() < 0) co_return trouble(errno);
  if (address->family() != AF_UNIX) set(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  if (!source.empty()) {
    auto from = SocketAddress::of({source, 0});
    if (!from || from->family() != address->family()) {
      co_return fail(ErrorKind::kUnreachable,
                     "cannot connect to " + to.text() + " from " + source + ": another address family");
    }
    // The port is chosen at connect(): one a destination, not one of all.
    set(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (::bind(fd.get(), from->get(), from->size()) != 0) {
      if (errno == EADDRNOTAVAIL)
        co_return fail(ErrorKind::kBadInput,
                       "cannot connect to " + to.text() + " from " + source + ": this machine has no such address");
      co_return std::unexpected(errno_error(errno, "cannot connect to " + to.text() + " from " + source));
    }
  }
  bool under_way = false;
  if (::connect(fd.get(), address->get(), address->size()) != 0) {
    // On a Unix socket EAGAIN is a full backlog, and nothing is under way.
    // EINVAL: from the source address no way leads there (loopback to the world).
    if (errno != EINPROGRESS) co_return trouble(errno == EINVAL ? ENETUNREACH : errno);
    under_way = true;
  }
  auto stream = std::make_unique<SocketStream>(loop, fd.release(), address->family(), peer_of(*address));
  stream->expires_after(timeout);
  if (under_way) {
    Status waited = co_await stream->wait_writable();
    int error = 0;
    socklen_t size = sizeof(error);
    if (waited) ::getsockopt(stream->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (!waited && waited.error().kind == ErrorKind::kTimeout) error = ETIMEDOUT;
    if (error != 0) co_return trouble(error);
    if (!waited) co_return std::unexpected(waited.error());
  }
  if (address->family() != AF_UNIX) give_up_on_a_dead_path(stream->fd());  // from now on: connecting has its own limit
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace sidegate::net
