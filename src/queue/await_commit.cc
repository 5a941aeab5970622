#include "queue/await_commit.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <new>

namespace sidegate::queue {

net::Awaitable<Status> commit(Store& store, Change change) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto start = [&store, executor](auto handler, Change what) {
    using Handler = decltype(handler);
    // Shared, so that it is still here when there is no memory to hand the change over: a handler that is dropped takes
    // its coroutine down with it.
    std::shared_ptr<Handler> kept;
    auto resume_with = [executor](Handler& waiting, Status status) {
      auto resume = [waiting = std::move(waiting), status = std::move(status)]() mutable {
        std::move(waiting)(std::move(status));
      };
      boost::asio::post(executor, std::move(resume));
    };
    try {
      kept = std::make_shared<Handler>(std::move(handler));
      // Called on the commit thread: one post brings the result back to the caller's thread.
      store.commit(std::move(what), [kept, resume_with](Status status) { resume_with(*kept, std::move(status)); });
    } catch (const std::bad_alloc&) {
      resume_with(kept ? *kept : handler, fail(ErrorKind::kOverload, "out of memory"));
    }
  };
  using Token = boost::asio::use_awaitable_t<boost::asio::any_io_executor>;
  auto status = co_await boost::asio::async_initiate<const Token, void(Status)>(
      std::move(start), boost::asio::use_awaitable, std::move(change));
  co_return status;
}

}  // namespace sidegate::queue
