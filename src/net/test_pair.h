// For the room's own tests: two connected streams on one loop, and coroutines run on it to their end.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <optional>

#include "net/loop.h"
#include "net/socket_stream.h"

namespace sidegate::net {

struct Bench {
  explicit Bench(Clock& clock = system_clock()) : loop(0, clock, null_log()) {}

  struct Pair {
    std::unique_ptr<SocketStream> a, b;
  };

  Pair pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {stream(fds[0]), stream(fds[1])};
  }

  std::unique_ptr<SocketStream> stream(int fd) {
    auto made = std::make_unique<SocketStream>(loop, fd, AF_UNIX, Peer{.address = "unix", .is_unix = true});
    made->expires_after(std::chrono::seconds(20));
    return made;
  }

  // A raw end for what a stream would not do.
  std::pair<std::unique_ptr<SocketStream>, int> half() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {stream(fds[0]), fds[1]};
  }

  // Runs them side by side on the loop until all have ended.
  template <typename... Work>
  void run(Work... work) {
    int left = sizeof...(work);
    std::exception_ptr thrown;
    auto ended = [&](std::exception_ptr failure) {
      if (failure && !thrown) thrown = failure;
      if (--left == 0) loop.stop();
    };
    (boost::asio::co_spawn(loop.executor(), std::move(work), ended), ...);
    loop.context().restart();
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    EXPECT_EQ(left, 0);
  }

  Loop loop;
};

}  // namespace sidegate::net
