#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>

#include "net/address.h"
#include "net/socket.h"
#include "net/socket_stream.h"

namespace sidegate::net {
namespace {

constexpr Duration kBackOff{250};
constexpr Duration kLogEvery{60'000};
constexpr int kMostAtOnce = 64;  // then the sessions accepted get their turn

// accept(2): errors of the one connection that is gone already, not of the listener.
bool only_this_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
      return true;
    default:
      return false;
  }
}

// The kernel gives the lowest free number: the next one tells how many descriptors are in use at least.
int next_descriptor() {
  int fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
  if (fd >= 0) ::close(fd);
  return fd;
}

}  // namespace

int accept_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  rlim_t most = std::min<rlim_t>(files.rlim_cur, 1 << 30);
  return static_cast<int>(most - std::min<rlim_t>(most / 4, 1024));
}

struct Acceptor::State : std::enable_shared_from_this<Acceptor::State> {
  State(Loop& l, int fd, OnConnection fn, int most)
      : loop(l), descriptor(l.context().get_executor(), fd), on_connection(std::move(fn)), limit(most) {}

  enum class Accepted { kAll, kMore, kBackOff };

  static Awaitable<void> run(std::shared_ptr<State> self) {
    while (!self->stopped) {
      try {
        auto [error] =
            co_await self->descriptor.async_wait(Descriptor::wait_read, boost::asio::as_tuple(boost::asio::deferred));
        if (error) break;
        if (self->accept_all() == Accepted::kBackOff) co_await self->loop.sleep(kBackOff);
      } catch (const std::bad_alloc&) {
        // The backlog waits; the listener must not end for it.
      }
    }
  }

  // Waiting again tells of what is left over: there is no need to accept until the backlog is empty.
  Accepted accept_all() {
    for (int i = 0; i < kMostAtOnce && !stopped; ++i) {
      if (crowded && next_descriptor_over_limit()) {
        report({ErrorKind::kOverload, "no file descriptor is left but those kept for the store and the ways out"});
        return Accepted::kBackOff;
      }
      SocketAddress address;
      int fd = ::accept4(descriptor.native_handle(), address.get(), address.room(), SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        crowded = fd >= limit;
        hand_over(fd, address);
        continue;
      }
      int error = errno;
      if (error == EAGAIN) return Accepted::kAll;
      if (only_this_connection(error)) continue;
      report(errno_error(error, "accept"));  // EMFILE, ENFILE, ENOBUFS, ENOMEM: the backlog waits
      return Accepted::kBackOff;
    }
    return Accepted::kMore;
  }

  void hand_over(int fd, const SocketAddress& address) {
    int unowned = fd;
    try {
      Peer peer = peer_of(address, fd);
      auto stream = std::make_unique<SocketStream>(loop, fd, address.family(), std::move(peer));
      unowned = -1;
      on_connection(std::move(stream));
    } catch (const std::exception& e) {  // a bug, or no memory: this connection ends, the listener goes on
      if (unowned >= 0) ::close(unowned);
      loop.log().error("exception", {{"in", "accept"}, {"what", e.what()}});
    }
  }

  bool next_descriptor_over_limit() {
    int next = next_descriptor();
    crowded = next < 0 || next >= limit;
    return crowded;
  }

  void report(const Error& error) {
    SteadyTime now = loop.clock().steady();
    if (logged && now - *logged < kLogEvery) return;
    logged = now;
    loop.log().error("accept_failed", {{"reason", error.text}, {"limit", limit}});
  }

  void close() {
    if (stopped) return;
    stopped = true;
    boost::system::error_code ignored;
    descriptor.close(ignored);
  }

  using Descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;
  Loop& loop;
  Descriptor descriptor;
  OnConnection on_connection;
  const int limit;
  bool crowded = false;  // the last connection took a descriptor of the reserve
  bool stopped = false;
  std::optional<SteadyTime> logged;
};

Acceptor::Acceptor(Loop& loop, int fd, OnConnection on_connection, int limit)
    : state_(std::make_shared<State>(loop, fd, std::move(on_connection), limit)) {}

Acceptor::~Acceptor() {
  stop();
}

void Acceptor::start() {
  state_->loop.post([state = state_] {
    if (!state->stopped) state->loop.spawn("accept", State::run(state));
  });
}

void Acceptor::stop() {
  state_->loop.post([state = state_] { state->close(); });
}

}  // namespace sidegate::net
