#include "queue/await_commit.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sidegate::queue {

net::Awaitable<Status> commit(Store& store, Change change) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto start = [&store, executor](auto handler, Change what) {
    // Called on the commit thread: one post brings the result back to the caller's thread.
    auto done = [executor, handler = std::move(handler)](Status status) mutable {
      auto resume = [handler = std::move(handler), status = std::move(status)]() mutable {
        std::move(handler)(std::move(status));
      };
      boost::asio::post(executor, std::move(resume));
    };
    store.commit(std::move(what), std::move(done));
  };
  using Token = boost::asio::use_awaitable_t<boost::asio::any_io_executor>;
  auto status = co_await boost::asio::async_initiate<const Token, void(Status)>(
      std::move(start), boost::asio::use_awaitable, std::move(change));
  co_return status;
}

}  // namespace sidegate::queue
