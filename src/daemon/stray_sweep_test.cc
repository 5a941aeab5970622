#include "daemon/stray_sweep.h"

#include <gtest/gtest.h>

#include "queue/memory_store.h"

namespace sidegate::daemon::stray_sweep_test {
namespace {

using queue::ClassId;
using queue::RecipientState;

class StraySweepTest : public ::testing::Test {
 protected:
  StraySweepTest() {
    // Classes of a.example go by way 0, all others by way 1; a class without a key would go by none.
    scheduler.set_ways({{"a", 10}, {"b", 10}}, [](const queue::ClassKey& key) {
      if (key.recipient_domain.empty()) return queue::Route{};
      return queue::Route{static_cast<queue::WayId>(key.recipient_domain == "a.example" ? 0 : 1)};
    });
  }
  QueueId id(std::uint64_t n) const { return {(1'700'000'000'000ull << 22) + n}; }

  // One recipient in each class; `due`: the classes whose rows are there.
  void store_message(std::uint64_t n, std::vector<RecipientState> states, std::vector<ClassId> due) {
    auto message = std::make_shared<queue::Message>();
    message->id = id(n);
    message->envelope.reverse_path = "s@test";
    queue::Outcome outcome;
    for (std::size_t i = 0; i < states.size(); ++i) {
      message->envelope.recipients.push_back({i == 0 ? "u@a.example" : "u@b.example", {}, ""});
      message->classes.push_back(static_cast<ClassId>(70 + i));
      queue::RecipientRow& row = outcome.recipients.emplace_back();
      row.n = static_cast<std::uint32_t>(i);
      row.state = states[i];
      row.attempts = 3;
    }
    queue::Accept accept;
    for (ClassId cls : due) accept.due.push_back({.id = id(n), .class_id = cls, .due = clock.wall()});
    accept.message = std::move(message);
    outcome.id = id(n);
    store.commit(std::move(accept), [](Status) {});
    store.commit(std::move(outcome), [](Status status) { EXPECT_TRUE(status); });
  }
  unsigned sweep() {
    unsigned pages = 1;
    while (broom.step() > Duration(0) && pages < 100) ++pages;
    return pages;
  }

  ManualClock clock;
  queue::MemoryCluster cluster{clock};
  queue::MemoryStore store{cluster, 1};
  queue::Scheduler scheduler{{}, clock, 1};
  StraySweep broom{store, scheduler, null_log(), clock};
};

TEST_F(StraySweepTest, WhatHasEndedIsRemoved) {
  using enum RecipientState;
  store_message(1, {kDelivered, kFailed}, {});
  store_message(2, {kDelivered, kPending}, {71});
  sweep();
  EXPECT_FALSE(store.message(id(1)));
  EXPECT_TRUE(store.message(id(2)));
  EXPECT_EQ(scheduler.totals().messages, 0u);  // what is in order is the loader's
}

TEST_F(StraySweepTest, WhatIsPendingIsScheduledUnderItsOwnClass) {
  using enum RecipientState;
  store_message(1, {kDelivered, kPending}, {});
  sweep();
  auto found = store.find({}, {}, 10);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1u);
  ASSERT_EQ(found->front().due.size(), 1u);
  EXPECT_EQ(found->front().due[0].class_id, 71u);
  EXPECT_EQ(found->front().due[0].attempts, 3);
  auto classes = store.classes();
  ASSERT_TRUE(classes);
  ASSERT_EQ(classes->size(), 1u);
  EXPECT_EQ(classes->front().id, 71u);
  EXPECT_EQ(classes->front().key.recipient_domain, "b.example");
  scheduler.tick();
  EXPECT_FALSE(scheduler.lease(0));
  ASSERT_TRUE(scheduler.take_slot(1, 0));
  auto lease = scheduler.lease(1);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id, id(1));
  EXPECT_EQ(lease->classes, std::vector<ClassId>{71});
  EXPECT_EQ(lease->attempts, 3);
}

TEST_F(StraySweepTest, ManyPagesEndOnce) {
  using enum RecipientState;
  for (std::uint64_t n = 1; n <= 2000; ++n) store_message(n, {kDelivered, n % 2 ? kDelivered : kPending}, {});
  EXPECT_GT(sweep(), 2u);
  EXPECT_EQ(scheduler.totals().messages, 1000u);
  EXPECT_EQ(broom.step(), Duration(0));
}

}  // namespace
}  // namespace sidegate::daemon::stray_sweep_test
