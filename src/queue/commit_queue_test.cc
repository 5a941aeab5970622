#include "queue/commit_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace sidegate::queue::commit_queue_test {
namespace {

using namespace std::chrono_literals;

constexpr auto kEndless = 60s;  // what would wait for it fails by the test's own limit

Pending message(std::uint64_t id) {
  auto one = std::make_shared<Message>();
  one->id = QueueId{id};
  Pending pending;
  Accept accept;
  accept.message = one;
  pending.work = std::move(accept);
  return pending;
}

Pending outcome() {
  Pending pending;
  Outcome done;
  done.id = QueueId{1};
  pending.work = std::move(done);
  return pending;
}

TEST(CommitQueue, WaitsForTheMessagesThatAreExpected) {
  Expected expected;
  CommitQueue queue(expected);
  Expected::Token first(expected), second(expected);
  queue.push(message(1));
  std::thread other([&] { queue.push(message(2)); });
  EXPECT_EQ(queue.take({}, kEndless).size(), 2u);
  queue.release();
  other.join();
}

TEST(CommitQueue, NobodyIsExpectedWhoHasGoneAway) {
  Expected expected;
  CommitQueue queue(expected);
  Expected::Token first(expected);
  {
    Expected::Token gone(expected);
  }
  queue.push(message(1));
  EXPECT_EQ(queue.take({}, kEndless).size(), 1u);
  queue.release();
}

TEST(CommitQueue, PatienceHasAnEnd) {
  Expected expected;
  CommitQueue queue(expected);
  Expected::Token first(expected), stalled(expected);
  queue.push(message(1));
  EXPECT_EQ(queue.take({}, 1ms).size(), 1u);
  queue.release();
}

TEST(CommitQueue, OutcomesWaitForNobodyAndWakeNobodyWhoWaitsForMessages) {
  Expected expected;
  CommitQueue queue(expected);
  Expected::Token first(expected), second(expected);
  queue.push(outcome());
  EXPECT_EQ(queue.take({}, kEndless).size(), 1u);
  queue.release();
  queue.push(message(1));
  std::thread other([&] {
    queue.push(outcome());
    queue.push(message(2));
  });
  EXPECT_EQ(queue.take({}, kEndless).size(), 3u);
  queue.release();
  other.join();
}

TEST(CommitQueue, APokeAndTheEndCutPatienceShort) {
  for (bool end : {false, true}) {
    Expected expected;
    CommitQueue queue(expected);
    Expected::Token first(expected), second(expected);
    queue.push(message(1));
    std::thread other([&] { end ? queue.close() : queue.poke(); });
    EXPECT_EQ(queue.take({}, kEndless).size(), 1u);
    queue.release();
    other.join();
  }
}

TEST(CommitQueue, WhatTheWatchdogRefusedIsNotCountedAsWaiting) {
  Expected expected;
  CommitQueue queue(expected);
  Expected::Token first(expected), second(expected);
  queue.push(message(1));
  EXPECT_FALSE(queue.refuse_older(SteadyTime::max(), Error{ErrorKind::kOverload, "stalled"}));
  queue.push(message(2));
  std::thread other([&] { queue.push(message(3)); });
  EXPECT_EQ(queue.take({}, kEndless).size(), 2u);
  queue.release();
  other.join();
}

}  // namespace
}  // namespace sidegate::queue::commit_queue_test
