#include "net/worker_pool.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "net/loop.h"
#include "net/run_script.h"

namespace sidegate::net::worker_pool_test {
namespace {

Awaitable<bool> runs_elsewhere_and_comes_back(WorkerPool& pool) {
  auto here = std::this_thread::get_id();
  auto there = co_await on_worker(pool, [] { return std::this_thread::get_id(); });
  co_return there && *there != here&& std::this_thread::get_id() == here;
}

Awaitable<std::vector<std::string>> results(WorkerPool& pool) {
  std::vector<std::string> out;
  auto text = co_await on_worker(pool, [] { return std::string("text"); });
  out.push_back(text ? *text : text.error().text);
  auto owner = std::make_unique<int>(7);
  auto moved = co_await on_worker(pool, [owner = std::move(owner)] { return std::make_unique<int>(*owner + 1); });
  out.push_back(std::to_string(**moved));
  Status nothing = co_await on_worker(pool, [] {});
  out.push_back(nothing ? "done" : nothing.error().text);
  auto thrown = co_await on_worker(pool, []() -> int { throw std::runtime_error("bug"); });
  out.push_back(thrown.error().text);
  co_return out;
}

TEST(WorkerPool, RunsAndComesBack) {
  WorkerPool pool(2);
  EXPECT_TRUE(run_script(runs_elsewhere_and_comes_back(pool)));
  EXPECT_EQ(run_script(results(pool)), (std::vector<std::string>{"text", "8", "done", "on a worker: bug"}));
}

Awaitable<ErrorKind> kind_of_refusal(WorkerPool& pool) {
  auto refused = co_await on_worker(pool, [] { return 1; });
  co_return refused ? ErrorKind::kInternal : refused.error().kind;
}

TEST(WorkerPool, RefusesWhatIsTooMuch) {
  std::latch busy(1), release(1);
  int done = 0;
  WorkerPool pool(1, 2);
  EXPECT_TRUE(pool.post([&] {
    busy.count_down();
    release.wait();
  }));
  busy.wait();
  EXPECT_TRUE(pool.post([&] { ++done; }));
  EXPECT_TRUE(pool.post([&] { ++done; }));
  EXPECT_FALSE(pool.post([&] { ++done; }));
  EXPECT_EQ(run_script(kind_of_refusal(pool)), ErrorKind::kOverload);
  release.count_down();
}

TEST(WorkerPool, FinishesWhatItTook) {
  std::atomic<int> done = 0;
  {
    WorkerPool pool(3);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(pool.post([&] { ++done; }));
  }
  EXPECT_EQ(done, 1000);
}

Awaitable<void> ask_often(WorkerPool& pool, std::atomic<int>* sum, std::latch* ended) {
  for (int i = 0; i < 100; ++i) {
    auto one = co_await on_worker(pool, [] { return 1; });
    *sum += one ? *one : 0;
  }
  ended->count_down();
}

TEST(WorkerPool, ServesManyLoops) {
  std::atomic<int> sum = 0;
  std::latch ended(30);
  Loops loops(3, system_clock(), null_log());
  WorkerPool pool(2);
  loops.start();
  for (int i = 0; i < 30; ++i) loops[i % 3].spawn("ask", ask_often(pool, &sum, &ended));
  ended.wait();
  EXPECT_EQ(sum, 3000);
}

}  // namespace
}  // namespace sidegate::net::worker_pool_test
