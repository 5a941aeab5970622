// Work on a pool that its caller does not wait for longer than a limit: the worker may hang on, the session goes on.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "net/worker_pool.h"

namespace sidegate::login {

// fn owns what it needs: it may outlive the wait. kTimeout: not done in time. kOverload: the pool is full.
template <typename T>
net::Awaitable<Result<T>> on_worker_within(net::WorkerPool& pool, Duration limit,
                                           std::move_only_function<Result<T>()> fn) {
  auto plain = co_await boost::asio::this_coro::executor;
  auto executor = boost::asio::prefer(plain, boost::asio::execution::outstanding_work.tracked);
  auto start = [&pool, plain, executor, limit, fn = std::move(fn)](auto handler) mutable {
    // Touched on the session's thread alone.
    struct Race {
      std::optional<decltype(handler)> handler;
      boost::asio::steady_timer timer;
    };
    auto race = std::make_shared<Race>(Race{std::move(handler), boost::asio::steady_timer(plain)});
    auto answer = [race](Result<T> value) {
      if (!race->handler) return;
      auto handler = std::exchange(race->handler, std::nullopt);
      race->timer.cancel();
      (*handler)(std::move(value));
    };
    race->timer.expires_after(limit);
    race->timer.async_wait([answer](boost::system::error_code error) {
      if (!error) answer(fail(ErrorKind::kTimeout, "no answer in time"));
    });
    bool taken = pool.post([executor, answer, fn = std::move(fn)]() mutable {
      Result<T> value = fail(ErrorKind::kInternal, "on a worker");
      try {
        value = fn();
      } catch (const std::exception& e) {
        value = fail(ErrorKind::kInternal, std::string("on a worker: ") + e.what());
      }
      boost::asio::post(executor,
                        [answer = std::move(answer), value = std::move(value)]() mutable { answer(std::move(value)); });
    });
    if (!taken) boost::asio::post(executor, [answer] { answer(fail(ErrorKind::kOverload, "too many checks wait")); });
  };
  auto result = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<T>)>(
      std::move(start), boost::asio::use_awaitable);
  co_return result;
}

}  // namespace sidegate::login
