#include "net/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>

#include "net/test_pair.h"

namespace sidegate::net::loop_test {
namespace {

using namespace std::chrono_literals;

struct Alarm : Timed {
  Alarm(Loop& loop, std::function<void()> what) : fired(std::move(what)) { loop.add(*this); }
  void at(SteadyTime when) { deadline_ = when; }
  void on_deadline() override { fired(); }
  std::function<void()> fired;
};

TEST(Deadlines, FireOnceWhenDue) {
  ManualClock clock;
  Loop loop(0, clock, null_log());
  int count = 0;
  Alarm alarm(loop, [&] { ++count; });
  alarm.at(clock.steady() + 1s);
  loop.check_deadlines();
  EXPECT_EQ(count, 0);
  clock.advance(999ms);
  loop.check_deadlines();
  EXPECT_EQ(count, 0);
  clock.advance(1ms);
  loop.check_deadlines();
  loop.check_deadlines();
  EXPECT_EQ(count, 1);
  alarm.at(clock.steady());
  loop.check_deadlines();
  EXPECT_EQ(count, 2);
}

TEST(Deadlines, AJumpOfTheWallClockEndsNothing) {
  ManualClock clock;
  Loop loop(0, clock, null_log());
  Alarm alarm(loop, [] { FAIL(); });
  alarm.at(clock.steady() + 5min);
  clock.jump(24h);
  loop.check_deadlines();
  clock.jump(-48h);
  loop.check_deadlines();
}

TEST(Deadlines, MayRemoveAnyoneWhileFiring) {
  ManualClock clock;
  for (std::size_t firing = 0; firing < 4; ++firing) {
    Loop loop(0, clock, null_log());
    std::vector<std::unique_ptr<Alarm>> alarms;
    std::vector<int> fired(4);
    for (std::size_t i = 0; i < 4; ++i) {
      alarms.push_back(std::make_unique<Alarm>(loop, [&, i] {
        ++fired[i];
        if (i != firing) return;
        for (auto& other : alarms) other.reset();  // itself too
      }));
      alarms[i]->at(clock.steady());
    }
    loop.check_deadlines();
    EXPECT_EQ(fired[firing], 1);
    loop.check_deadlines();
    EXPECT_LE(fired[0] + fired[1] + fired[2] + fired[3], 4);
  }
}

Awaitable<void> sleep_twice(Loop& loop, std::vector<int>* out) {
  co_await loop.sleep(1s);
  out->push_back(1);
  co_await loop.sleep(1s);
  out->push_back(2);
}

TEST(Loop, SleepsByItsClock) {
  ManualClock clock;
  Loop loop(0, clock, null_log());
  std::vector<int> woke;
  loop.spawn("sleep", sleep_twice(loop, &woke));
  auto pass = [&](Duration d) {
    clock.advance(d);
    loop.check_deadlines();
    loop.context().poll();
  };
  loop.context().poll();
  pass(999ms);
  EXPECT_EQ(woke, std::vector<int>{});
  pass(1ms);
  EXPECT_EQ(woke, std::vector<int>{1});
  pass(1s);
  EXPECT_EQ(woke, (std::vector<int>{1, 2}));
}

TEST(Loop, RepeatsByItsClock) {
  ManualClock clock;
  Loop loop(0, clock, null_log());
  int count = 0;
  loop.every(1s, [&] { ++count; });
  loop.context().poll();
  for (int i = 0; i < 10; ++i) {
    clock.advance(500ms);
    loop.check_deadlines();
  }
  EXPECT_EQ(count, 5);
}

struct Counted {
  explicit Counted(int* count) : count_(count) { ++*count_; }
  ~Counted() { --*count_; }
  int* count_;
};

Awaitable<void> sleep_for_ever(Loop& loop, int* alive) {
  Counted counted(alive);
  for (;;) co_await loop.sleep(1h);
}

Awaitable<void> own_a_stream(std::unique_ptr<SocketStream> stream, int* alive) {
  Counted counted(alive);
  co_await stream->read_line(512, 4096);
}

TEST(Loop, DestroysWhatStillWaits) {
  int alive = 0;
  {
    Bench bench;
    auto [a, b] = bench.pair();
    auto [c, d] = bench.pair();
    bench.loop.spawn("wait", own_a_stream(std::move(a), &alive));
    bench.loop.spawn("sleep", sleep_for_ever(bench.loop, &alive));
    bench.loop.spawn("wait", own_a_stream(std::move(c), &alive));
    bench.loop.context().poll();
    EXPECT_EQ(alive, 3);
    b.reset();
    d.reset();
  }
  EXPECT_EQ(alive, 0);
}

Awaitable<void> throwing() {
  throw std::runtime_error("what went wrong");
  co_return;
}

Awaitable<void> stop_later(Loop& loop) {
  co_await loop.sleep(1ms);
  loop.stop();
}

TEST(Loop, LogsExceptionsWithTheNameOfTheWork) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  {
    Log log(fds[1], json_log_style());
    Loop loop(0, system_clock(), log);
    loop.spawn("a session", throwing());
    loop.post([] { throw std::runtime_error("in a post"); });
    loop.spawn("stop", stop_later(loop));
    loop.run();
  }
  char text[4096];
  ssize_t n = ::read(fds[0], text, sizeof(text));
  ::close(fds[0]);
  ::close(fds[1]);
  std::string_view lines(text, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  EXPECT_NE(lines.find("a session"), std::string_view::npos) << lines;
  EXPECT_NE(lines.find("what went wrong"), std::string_view::npos) << lines;
  EXPECT_NE(lines.find("in a post"), std::string_view::npos) << lines;
}

TEST(Loop, LendsBuffers) {
  Loop loop(0, system_clock(), null_log());
  auto a = loop.borrow_buffer();
  char* address = a.get();
  a[Loop::kBufferSize - 1] = 'x';
  loop.return_buffer(std::move(a));
  EXPECT_EQ(loop.borrow_buffer().get(), address);
}

Awaitable<void> note_thread(Loop& loop, std::promise<bool>* done) {
  bool before = loop.on_this_thread();
  co_await loop.sleep(1ms);
  done->set_value(before && loop.on_this_thread());
}

TEST(Loops, RunOnTheirOwnThreads) {
  Loops loops(3, system_clock(), null_log());
  loops.start();
  std::vector<std::promise<bool>> done(2 * loops.size());
  for (std::size_t i = 0; i < loops.size(); ++i) {
    EXPECT_EQ(loops[i].index(), i);
    EXPECT_FALSE(loops[i].on_this_thread());
    loops[i].post([&, i] { done[2 * i].set_value(loops[i].on_this_thread() && !loops[(i + 1) % 3].on_this_thread()); });
    loops[i].spawn("note", note_thread(loops[i], &done[2 * i + 1]));
  }
  for (auto& promise : done) EXPECT_TRUE(promise.get_future().get());
  loops.stop_and_join();
  loops.stop_and_join();
}

TEST(Loops, TakePostsFromManyThreads) {
  Loops loops(2, system_clock(), null_log());
  loops.start();
  std::array<int, 2> counts{};  // each touched on its own loop alone
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        loops[i % 2].post([&counts, i] { ++counts[i % 2]; });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < 2; ++i) {
    std::promise<int> seen;
    loops[i].post([&, i] { seen.set_value(counts[i]); });
    EXPECT_EQ(seen.get_future().get(), 1000);
  }
}

}  // namespace
}  // namespace sidegate::net::loop_test
