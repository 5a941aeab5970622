// For tests: runs coroutines without a loop, and repeats a test with an error at every step.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>

#include "net/script_stream.h"

namespace sidegate::net {

// Runs `work` to its end on a context of its own and gives its result; what it throws is thrown on. Throws
// std::logic_error when it waits for something that never comes.
template <typename T>
T run_script(Awaitable<T> work) {
  boost::asio::io_context context(1);
  boost::asio::any_io_executor executor = context.get_executor();
  if constexpr (std::is_void_v<T>) {
    std::optional<std::exception_ptr> ended;
    boost::asio::co_spawn(executor, std::move(work), [&](std::exception_ptr failure) { ended = failure; });
    context.run();
    if (!ended) throw std::logic_error("run_script: the coroutine waits for ever");
    if (*ended) std::rethrow_exception(*ended);
  } else {
    // In an optional all along: what a coroutine returns to co_spawn would need a default constructor.
    auto wrapped = [](Awaitable<T> inner, std::optional<T>* out) -> Awaitable<void> {
      out->emplace(co_await std::move(inner));
    };
    std::optional<T> value;
    run_script(wrapped(std::move(work), &value));
    return std::move(*value);
  }
}

// Calls body(stream, nullptr) once without an error, then once for each operation of that run and each kind of error
// with that error injected: body builds its script on the stream, runs its session and checks what must always hold
// (nothing lost, nothing claimed that did not happen). Gives the number of runs.
std::size_t repeat_with_errors(const std::function<void(ScriptStream& stream, const Fault* fault)>& body);

}  // namespace sidegate::net
