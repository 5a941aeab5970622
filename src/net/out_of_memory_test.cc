// A coroutine that waits where memory runs out goes on all the same: with an error, or by an exception, but it is not
// forgotten. Every allocation fails in turn.
#include <gtest/gtest.h>

#include "net/loop.h"
#include "net/run_script.h"
#include "net/starved.h"
#include "net/worker_pool.h"

namespace sidegate::net::out_of_memory_test {
namespace {

Awaitable<std::string> asks_a_worker(WorkerPool& pool) {
  std::string text(300, 'x');
  auto result = co_await on_worker(pool, [text] { return text; });
  co_return result ? *result : result.error().text;
}

TEST(OutOfMemory, WhoWaitsForAWorkerIsAnswered) {
  WorkerPool pool(1);
  unsigned refused = 0;
  for (long at = 1; at < 1000; ++at) {
    std::string answer;
    {
      Starved guard(at, false);
      try {
        answer = run_script(asks_a_worker(pool));
      } catch (const std::bad_alloc&) {  // before or behind the wait
      }
    }
    if (Starved::failures() == 0) {
      EXPECT_EQ(answer.size(), 300u);
      break;
    }
    refused += answer == "out of memory";
  }
  EXPECT_GT(refused, 0u);
}

Awaitable<void> sleeps(Loop& loop, bool* ended) {
  try {
    co_await loop.sleep(std::chrono::seconds(1));
  } catch (const std::bad_alloc&) {
  }
  *ended = true;
}

TEST(OutOfMemory, WhoSleepsWakes) {
  for (long at = 1; at < 1000; ++at) {
    ManualClock clock;
    Loop loop(0, clock, null_log());
    bool ended = false;
    {
      Starved guard(at, false);
      try {
        loop.spawn("sleeper", sleeps(loop, &ended));
        loop.context().poll();
      } catch (const std::bad_alloc&) {
        ended = true;  // it never began
      }
    }
    clock.advance(std::chrono::seconds(2));
    loop.check_deadlines();
    loop.context().poll();
    EXPECT_TRUE(ended) << at;
    if (Starved::failures() == 0) return;
  }
  FAIL();
}

}  // namespace
}  // namespace sidegate::net::out_of_memory_test
