// A small pool for what blocks: reads from disk, password hashes. Bounded: when `limit` pieces wait, work is refused
// (kOverload).
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>

#include "net/stream.h"

namespace sidegate::net {

class WorkerPool {
 public:
  explicit WorkerPool(unsigned threads, std::size_t limit = 10'000);
  ~WorkerPool();   // finishes what was taken
  bool post(std::move_only_function<void()> work);   // false: full

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs fn on the pool and resumes the calling coroutine on its own executor with fn's result. fn must own what it needs
// or refer to what the caller keeps alive while it waits.
template <typename Fn>
Awaitable<Result<std::invoke_result_t<Fn>>> on_worker(WorkerPool& pool, Fn fn) {
  using T = std::invoke_result_t<Fn>;
  auto executor = co_await boost::asio::this_coro::executor;
  auto start = [&pool, executor, fn = std::move(fn)](auto handler) mutable {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    bool taken = pool.post([executor, fn = std::move(fn), shared]() mutable {
      auto value = std::make_shared<Result<T>>(fn());
      boost::asio::post(executor, [shared, value]() mutable { (*shared)(std::move(*value)); });
    });
    if (!taken) {
      boost::asio::post(executor, [shared]() mutable { (*shared)(Result<T>(fail(ErrorKind::kOverload, "worker pool is full"))); });
    }
  };
  auto result = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<T>)>(std::move(start), boost::asio::use_awaitable);
  co_return result;
}

}  // namespace sidegate::net
