#include "daemon/suspects.h"

#include <gtest/gtest.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>

#include <filesystem>

#include "queue/memory_store.h"

namespace sidegate::daemon::suspects_test {
namespace {

using namespace std::chrono_literals;
using queue::PoisonFile;

class SuspectsTest : public ::testing::Test {
 protected:
  SuspectsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sidegate-suspects-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    scheduler.set_ways({{"a", 10}}, [](const queue::ClassKey&) { return queue::Route{0}; });
    cls = scheduler.intern({.recipient_domain = "x.example", .sender_key = "s", .user = "", .listener = ""}, nullptr);
  }
  ~SuspectsTest() override { std::filesystem::remove_all(folder); }

  QueueId id(std::uint64_t n) const { return {(1'700'000'000'000ull << 22) + n}; }
  void store_message(std::uint64_t n, bool held = false) {
    queue::Accept accept;
    auto message = std::make_shared<queue::Message>();
    message->id = id(n);
    message->envelope.recipients.push_back({"u@x.example", {}, ""});
    message->classes = {cls};
    queue::DueRow due{.id = id(n), .class_id = cls, .due = clock.wall()};
    due.held = held;
    accept.due.push_back(due);
    accept.message = std::move(message);
    store.commit(std::move(accept), [](Status) {});
  }
  // A process that dies with these in hand.
  void crash(std::vector<std::uint64_t> numbers) {
    suspects.reset();
    poison.reset();
    pid_t child = ::fork();
    if (child == 0) {
      auto file = PoisonFile::open(folder + "/poison", 16);
      for (unsigned i = 0; i < numbers.size(); ++i) (*file)->enter(id(numbers[i]), "192.0.2.1");
      ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
  }
  void restart() {
    poison = std::move(*PoisonFile::open(folder + "/poison", 16));
    suspects.emplace(poison.get(), store, scheduler, null_log(), clock);
    suspects->begin();
  }
  void finish(const queue::Lease& lease, queue::ClassResult::Next next) {
    std::vector<queue::ClassResult> results{{.class_id = cls, .next = next, .due = clock.wall() + 1h}};
    scheduler.finish(lease, results, 0);
  }
  bool still_counted(std::uint64_t n) {
    suspects.reset();
    poison = std::move(*PoisonFile::open(folder + "/poison", 16));
    return std::ranges::any_of(poison->suspects(), [&](const auto& s) { return s.id == id(n); });
  }

  std::string folder;
  ManualClock clock;
  queue::MemoryCluster cluster{clock};
  queue::MemoryStore store{cluster, 1, 1000h};
  queue::Scheduler scheduler{{}, clock, 1};
  queue::ClassId cls = 0;
  std::unique_ptr<PoisonFile> poison;
  std::optional<Suspects> suspects;
};

TEST_F(SuspectsTest, OneAtATime) {
  for (std::uint64_t n : {1, 2, 3}) store_message(n);
  crash({3, 1, 2, 9});  // 9 was being taken, and was never answered
  restart();
  EXPECT_TRUE(suspects->has(id(1)));
  EXPECT_FALSE(suspects->has(id(4)));
  for (std::uint64_t n : {1, 2, 3}) {
    EXPECT_GT(suspects->step(), 0ms);
    EXPECT_GT(suspects->step(), 0ms);
    auto lease = scheduler.lease(0);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->id, id(n));
    EXPECT_GT(suspects->step(), 0ms);
    EXPECT_FALSE(scheduler.lease(0)) << "a second one beside " << n;
    // The second is deferred: it is no longer under way, and counted until it ends.
    finish(*lease, n == 2 ? queue::ClassResult::Next::kAt : queue::ClassResult::Next::kEnd);
  }
  EXPECT_GT(suspects->step(), 0ms);
  EXPECT_FALSE(still_counted(1));
  EXPECT_TRUE(still_counted(2));
  EXPECT_FALSE(still_counted(9));
}

TEST_F(SuspectsTest, NothingToDoWithoutACrash) {
  restart();
  EXPECT_EQ(suspects->step(), 0ms);
  Suspects none(nullptr, store, scheduler, null_log(), clock);
  none.begin();
  EXPECT_EQ(none.step(), 0ms);
}

TEST_F(SuspectsTest, TheThirdCrashHoldsAndTells) {
  store_message(1);
  store_message(2);
  for (int i = 0; i < 3; ++i) crash({1});
  restart();
  auto standing = scheduler.standing(id(1));
  ASSERT_TRUE(standing);
  EXPECT_TRUE(standing->held);
  EXPECT_TRUE(store.find({}, {}, 1)->front().due.front().held);
  auto attempts = *store.attempts(id(1));
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].meaning, "poison");
  EXPECT_EQ(suspects->step(), 0ms);
  EXPECT_FALSE(still_counted(1));  // released by the operator, it may try three times more
}

TEST_F(SuspectsTest, OneWhoseWayIsDownLetsTheOthersPass) {
  store_message(1);
  store_message(2);
  crash({1, 2});
  restart();
  suspects->step();
  clock.advance(6s);
  suspects->step();
  auto lease = scheduler.lease(0);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id, id(2));
  EXPECT_TRUE(scheduler.standing(id(1))->held);  // until its next turn
  finish(*lease, queue::ClassResult::Next::kEnd);
  suspects->step();
  lease = scheduler.lease(0);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id, id(1));
  finish(*lease, queue::ClassResult::Next::kEnd);
  EXPECT_EQ(suspects->step(), 0ms);
}

TEST_F(SuspectsTest, WhatTheOperatorHeldOrDeletedStaysSo) {
  store_message(1, true);
  store_message(2);
  crash({1, 2});
  restart();
  store.commit(queue::Remove{id(2)}, [](Status) {});
  for (int i = 0; i < 5; ++i) suspects->step();
  EXPECT_FALSE(scheduler.lease(0));
  EXPECT_TRUE(scheduler.standing(id(1))->held);
}

}  // namespace
}  // namespace sidegate::daemon::suspects_test
