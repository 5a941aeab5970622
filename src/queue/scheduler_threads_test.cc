// Real threads: the limits hold with 1 and with 16, every message is leased once at a time, and wakes alone (no tick)
// bring all of them out.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "queue/scheduler.h"

namespace sidegate::queue::scheduler_threads_test {
namespace {

using Next = ClassResult::Next;

constexpr unsigned kLimit = 4;
constexpr std::uint64_t kMessages = 20'000;

struct Shared {
  explicit Shared(unsigned loops) : scheduler({}, system_clock(), loops) {}
  Scheduler scheduler;
  std::atomic<unsigned> open[2] = {0, 0};
  std::atomic<unsigned> most_open{0};
  std::vector<std::atomic<int>> leased = std::vector<std::atomic<int>>(kMessages + 1);
  std::atomic<bool> twice{false};
  std::atomic<std::uint64_t> ended{0};
};

// One loop: a thread with its connections, stepped in turn; wakes come in from any thread.
class CourierThread {
 public:
  CourierThread(Shared& shared, unsigned loop) : shared_(shared), loop_(loop), random_(loop * 7919 + 1) {}
  void start() { thread_ = std::thread(&CourierThread::run, this); }
  void wake(WayId way) {
    const std::lock_guard lock(mutex_);
    wakes_.push_back(way);
    changed_.notify_one();
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    thread_.join();
  }

 private:
  struct Connection {
    WayId way;
    enum State { kOpening, kBetween, kBusy, kIdle, kGone } state = kOpening;
    std::optional<Lease> lease;
  };
  std::uint32_t dice() { return random_ = random_ * 1664525 + 1013904223, random_ >> 8; }
  bool busy() const {
    return std::ranges::any_of(connections_, [](const Connection& c) { return c.state != Connection::kIdle; });
  }

  void run() {
    for (;;) {
      std::deque<WayId> wakes;
      {
        std::unique_lock lock(mutex_);
        if (!busy()) changed_.wait(lock, [this] { return stopping_ || !wakes_.empty(); });
        if (stopping_) return;
        wakes.swap(wakes_);
      }
      for (WayId way : wakes) follow(way);
      for (Connection& connection : connections_) step(connection);
      std::erase_if(connections_, [](const Connection& c) { return c.state == Connection::kGone; });
    }
  }
  void follow(WayId way) {
    for (Connection& c : connections_) {
      if (c.state != Connection::kIdle || c.way != way) continue;
      shared_.scheduler.idle(way, loop_, -1);
      c.state = Connection::kBetween;
      return;
    }
    if (!shared_.scheduler.take_slot(way, loop_)) return;
    const unsigned open = ++shared_.open[way];
    for (unsigned most = shared_.most_open; open > most && !shared_.most_open.compare_exchange_weak(most, open);) {
    }
    connections_.push_back({way, Connection::kOpening, std::nullopt});
  }
  void step(Connection& c) {
    switch (c.state) {
      case Connection::kOpening:
        if (dice() % 20 == 0) return close(c, false);
        shared_.scheduler.slot_ready(c.way, loop_);
        c.state = Connection::kBetween;
        return;
      case Connection::kBetween:
        if (dice() % 50 == 0) return close(c, true);
        c.lease = shared_.scheduler.lease(c.way);
        c.state = c.lease ? Connection::kBusy : Connection::kIdle;
        if (c.lease && shared_.leased[c.lease->id.value].fetch_add(1) != 0) shared_.twice = true;
        if (!c.lease) shared_.scheduler.idle(c.way, loop_, 1);
        return;
      case Connection::kBusy:
        return finish(c);
      default:
        return;
    }
  }
  void finish(Connection& c) {
    constexpr Next kResults[] = {Next::kEnd, Next::kEnd, Next::kEnd, Next::kSameWay, Next::kNextWay};
    const Next next = kResults[dice() % std::size(kResults)];
    std::vector<ClassResult> results;
    for (ClassId cls : c.lease->classes) results.push_back({cls, next, {}, true});
    shared_.leased[c.lease->id.value].fetch_sub(1);
    shared_.scheduler.finish(*c.lease, results, loop_);
    if (next == Next::kEnd) ++shared_.ended;
    c.lease.reset();
    c.state = Connection::kBetween;
  }
  void close(Connection& c, bool stood) {
    c.state = Connection::kGone;
    --shared_.open[c.way];
    shared_.scheduler.release_slot(c.way, loop_, stood);
  }

  Shared& shared_;
  const unsigned loop_;
  std::uint32_t random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WayId> wakes_;
  bool stopping_ = false;
  std::vector<Connection> connections_;
  std::thread thread_;
};

class SchedulerThreads : public ::testing::TestWithParam<unsigned> {};

TEST_P(SchedulerThreads, LimitsHoldAndNothingIsLost) {
  const unsigned loops = GetParam();
  Shared shared(loops);
  std::vector<std::unique_ptr<CourierThread>> couriers;
  for (unsigned loop = 0; loop < loops; ++loop) couriers.push_back(std::make_unique<CourierThread>(shared, loop));
  shared.scheduler.set_wake([&](unsigned loop, WayId way) { couriers[loop]->wake(way); });
  shared.scheduler.set_ways({{"a", kLimit}, {"b", kLimit}}, [](const ClassKey&) { return Route{0, 1}; });
  for (auto& courier : couriers) courier->start();

  std::atomic<std::uint64_t> next{1};
  std::vector<std::thread> producers;
  for (unsigned n = 0; n < loops; ++n) {
    producers.emplace_back([&, n] {
      const ClassId cls = shared.scheduler.intern(
          {.recipient_domain = "example.org", .sender_key = std::to_string(n), .user = "", .listener = ""}, nullptr);
      for (std::uint64_t id = next++; id <= kMessages; id = next++) {
        const DueRow row{
            .id = QueueId{id}, .class_id = cls, .due = {}, .attempts = 0, .priority = 0, .held = false, .epoch = 0};
        shared.scheduler.add({&row, 1}, n);
        if (id % 1000 == 0) shared.scheduler.way_down(0, std::chrono::hours(1), "x");
        if (id % 1000 == 500) shared.scheduler.way_up(0);
      }
    });
  }
  for (auto& producer : producers) producer.join();
  shared.scheduler.way_up(0);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (shared.ended < kMessages && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  for (auto& courier : couriers) courier->stop();

  EXPECT_EQ(shared.ended, kMessages) << "left: " << shared.scheduler.totals().ready;
  EXPECT_FALSE(shared.twice);
  EXPECT_LE(shared.most_open, kLimit);
  EXPECT_GE(shared.most_open, 2u);
  EXPECT_EQ(shared.scheduler.totals().messages, 0u);
  for (const WayStatus& way : shared.scheduler.ways()) EXPECT_LE(way.connections, kLimit);
}
INSTANTIATE_TEST_SUITE_P(Loops, SchedulerThreads, ::testing::Values(1u, 2u, 16u));

}  // namespace
}  // namespace sidegate::queue::scheduler_threads_test
