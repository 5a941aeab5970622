// A coroutine that waits to be called, or until a time: what an idle connection does. No timer object (net::Timed).
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <new>

#include "net/loop.h"

namespace sidegate::deliver {

class Parking final : public net::Timed {
 public:
  enum class Why : std::uint8_t { kCalled, kTimeout };

  ~Parking() override = default;
  // On the loop's thread; one wait at a time.
  net::Awaitable<Why> wait(net::Loop& loop, Duration most) {
    if (std::exchange(called_, false)) co_return Why::kCalled;  // between falling asleep and this line
    auto start = [this, &loop, most](auto handler) {
      resume_ = [handler = std::move(handler)](Why why) mutable { std::move(handler)(why); };
      deadline_ = loop.clock().steady() + most;
      loop.add(*this);
    };
    using Token = boost::asio::use_awaitable_t<boost::asio::any_io_executor>;
    loop_here_ = &loop;
    auto why =
        co_await boost::asio::async_initiate<const Token, void(Why)>(std::move(start), boost::asio::use_awaitable);
    co_return why;
  }
  // On the loop's thread. The waiting coroutine goes on in a turn of its own.
  void call() {
    if (!waits()) called_ = true;
    go_on(Why::kCalled);
  }
  void on_deadline() override { go_on(Why::kTimeout); }
  bool waits() const { return resume_ && !going_; }

 private:
  void go_on(Why why) {
    if (!waits()) return;
    if (loop_) loop_->remove(*this);
    try {
      loop_here_->post([this, why] { resume(why); });
      going_ = true;
    } catch (const std::bad_alloc&) {
      // The coroutine must not go with the function that nobody could take: it is called again at the next tick.
      deadline_ = SteadyTime::min();
      loop_here_->add(*this);
    }
  }
  void resume(Why why) {
    going_ = false;
    auto waiting = std::move(resume_);
    resume_ = nullptr;
    waiting(why);
  }

  std::move_only_function<void(Why)> resume_;
  net::Loop* loop_here_ = nullptr;
  bool called_ = false;
  bool going_ = false;  // its turn is posted
};

}  // namespace sidegate::deliver
