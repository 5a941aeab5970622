// Several coroutines side by side on one loop, and one that waits for all of them.
#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "net/loop.h"

namespace sidegate::doctor {

// On the loop's thread. All that is spawned must end by itself; the Gather outlives it by waiting.
class Gather {
 public:
  explicit Gather(net::Loop& loop) : loop_(loop), done_(loop.executor()) { done_.expires_at(SteadyTime::max()); }
  void spawn(const char* what, net::Awaitable<void> work) {
    ++running_;
    loop_.spawn(what, run(*this, std::move(work)));
  }
  net::Awaitable<void> wait() {
    while (running_ > 0) {
      boost::system::error_code ended;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable_t<>(), ended);
      co_await done_.async_wait(token);
    }
  }

 private:
  struct Counted {  // also where the work ends by an exception
    Gather& gather;
    ~Counted() {
      if (--gather.running_ == 0) gather.done_.cancel();
    }
  };
  static net::Awaitable<void> run(Gather& gather, net::Awaitable<void> work) {
    Counted counted{gather};
    co_await std::move(work);
  }
  net::Loop& loop_;
  boost::asio::steady_timer done_;
  int running_ = 0;
};

}  // namespace sidegate::doctor
