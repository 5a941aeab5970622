// A small pool for what blocks: reads from disk, password hashes. Bounded: when `limit` pieces wait, work is refused
// (kOverload).
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <new>

#include "net/stream.h"

namespace sidegate::net {

class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads, std::size_t limit = 10'000);
  ~WorkerPool();                                    // finishes what was taken
  bool post(std::move_only_function<void()> work);  // false: full

 private:
  struct State;
  std::unique_ptr<State> state_;
};

namespace detail {

template <typename T, typename Fn>
Result<T> guarded(Fn& fn) {
  try {
    if constexpr (std::is_void_v<T>) {
      fn();
      return {};
    } else {
      return fn();
    }
  } catch (const std::exception& e) {
    return fail(ErrorKind::kInternal, std::string("on a worker: ") + e.what());
  }
}

}  // namespace detail

// Runs fn on the pool and resumes the calling coroutine on its own executor with fn's result. fn must own what it needs
// or refer to what the caller keeps alive while it waits. What it throws comes back as kInternal. The pool is destroyed
// before the loops it answers to.
template <typename Fn>
Awaitable<Result<std::invoke_result_t<Fn>>> on_worker(WorkerPool& pool, Fn fn) {
  using T = std::invoke_result_t<Fn>;
  // Tracked: the caller's context has work as long as an answer is to come.
  auto executor =
      boost::asio::prefer(co_await boost::asio::this_coro::executor, boost::asio::execution::outstanding_work.tracked);
  auto start = [&pool, executor, fn = std::move(fn)](auto handler) mutable {
    using Handler = decltype(handler);
    // Shared, so that it is still here when there is no memory to hand the work over: a handler that is dropped takes
    // its coroutine down with it.
    std::shared_ptr<Handler> kept;
    auto resume_with = [executor](Handler& waiting, Result<T> value) {
      auto resume = [waiting = std::move(waiting), value = std::move(value)]() mutable {
        std::move(waiting)(std::move(value));
      };
      boost::asio::post(executor, std::move(resume));
    };
    try {
      kept = std::make_shared<Handler>(std::move(handler));
      bool taken =
          pool.post([kept, resume_with, fn = std::move(fn)]() mutable { resume_with(*kept, detail::guarded<T>(fn)); });
      if (!taken) resume_with(*kept, fail(ErrorKind::kOverload, "worker pool is full"));
    } catch (const std::bad_alloc&) {
      resume_with(kept ? *kept : handler, fail(ErrorKind::kOverload, "out of memory"));
    }
  };
  auto result = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<T>)>(
      std::move(start), boost::asio::use_awaitable);
  co_return result;
}

}  // namespace sidegate::net
