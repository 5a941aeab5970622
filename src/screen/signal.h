// One coroutine waits for what another one on the same loop finds out.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

#include "net/loop.h"

namespace sidegate::screen {

class Signal {  // one waiter at a time; on the loop's thread
 public:
  explicit Signal(net::Loop& loop) : loop_(loop) {}
  Signal(const Signal&) = delete;

  // Until the next fire().
  net::Awaitable<void> wait() {
    auto start = [this](auto handler) { waiting_ = [handler = std::move(handler)]() mutable { handler(); }; };
    co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(std::move(start),
                                                                                       boost::asio::use_awaitable);
  }
  void fire() {
    if (waiting_) loop_.post(std::exchange(waiting_, nullptr));
  }
  // Nobody will fire any more: the loop is being taken down, and what waits is destroyed.
  void abandon() { std::exchange(waiting_, nullptr); }

 private:
  net::Loop& loop_;
  std::move_only_function<void()> waiting_;
};

}  // namespace sidegate::screen
