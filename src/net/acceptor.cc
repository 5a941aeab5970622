#include <sys/socket.h>

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

}  // namespace

struct Acceptor::State : std::enable_shared_from_this<Acceptor::State> {
  State(Loop& l, int fd, OnConnection fn)
      : loop(l), descriptor(l.context().get_executor(), fd), on_connection(std::move(fn)) {}

  enum class Accepted { kAll, kMore, kBackOff };

  static Awaitable<void> run(std::shared_ptr<State> self) {
    while (!self->stopped) {
      auto [error] =
          co_await self->descriptor.async_wait(Descriptor::wait_read, boost::asio::as_tuple(boost::asio::deferred));
      if (error) break;
      if (self->accept_all() == Accepted::kBackOff) co_await self->loop.sleep(kBackOff);
    }
  }

  // Waiting again tells of what is left over: there is no need to accept until the backlog is empty.
  Accepted accept_all() {
    for (int i = 0; i < kMostAtOnce && !stopped; ++i) {
      SocketAddress address;
      int fd = ::accept4(descriptor.native_handle(), address.get(), address.room(), SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        hand_over(fd, address);
        continue;
      }
      int error = errno;
      if (error == EAGAIN) return Accepted::kAll;
      if (only_this_connection(error)) continue;
      report(error);  // EMFILE, ENFILE, ENOBUFS, ENOMEM: the backlog waits
      return Accepted::kBackOff;
    }
    return Accepted::kMore;
  }

  void hand_over(int fd, const SocketAddress& address) {
    try {
      on_connection(std::make_unique<SocketStream>(loop, fd, address.family(), peer_of(address, fd)));
    } catch (const std::exception& e) {  // a bug, or no memory: this connection ends, the listener goes on
      loop.log().error("exception", {{"in", "accept"}, {"what", e.what()}});
    }
  }

  void report(int error) {
    SteadyTime now = loop.clock().steady();
    if (logged && now - *logged < kLogEvery) return;
    logged = now;
    loop.log().error("accept_failed", {{"reason", errno_error(error, "accept").text}});
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
  bool stopped = false;
  std::optional<SteadyTime> logged;
};

Acceptor::Acceptor(Loop& loop, int fd, OnConnection on_connection)
    : state_(std::make_shared<State>(loop, fd, std::move(on_connection))) {}

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
