// What every body of the store is held to. A body's test says how to make one and instantiates the suite:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreConformance, ::testing::Values(Body{"memory", make}));
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "base/clock.h"
#include "queue/store.h"

namespace sidegate::queue {

// One store over the life of a test: made, and opened again where the body lasts.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual Store& store() = 0;
  virtual bool reopen() { return false; }  // false: this body does not last
  ManualClock clock;
};
using MakeStore = std::function<std::unique_ptr<StoreUnderTest>()>;

struct Body {
  std::string name;
  MakeStore make;
};

// Waits for callbacks from the store's thread and counts them.
class Answers {
 public:
  Done next() {
    std::lock_guard lock(mutex_);
    std::size_t n = asked_++;
    got_.resize(asked_);
    times_.resize(asked_);
    return [this, n](Status status) {
      std::lock_guard lock(mutex_);
      got_[n] = std::move(status);
      ++times_[n];
      order_.push_back(n);
      changed_.notify_all();
    };
  }
  // All answers, in the order asked; fails the test if one does not come within 20 s or came twice.
  std::vector<Status> wait() {
    std::unique_lock lock(mutex_);
    bool all = changed_.wait_for(lock, std::chrono::seconds(20), [&] { return order_.size() >= asked_; });
    EXPECT_TRUE(all) << order_.size() << " of " << asked_ << " callbacks";
    for (int times : times_) EXPECT_LE(times, 1);
    return got_;
  }
  std::vector<std::size_t> order() {
    std::lock_guard lock(mutex_);
    return order_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t asked_ = 0;
  std::vector<Status> got_;
  std::vector<int> times_;
  std::vector<std::size_t> order_;
};

void PrintTo(const Body& body, std::ostream* out);
Status commit_and_wait(Store& store, Change change);

// A message with these recipients, all in class 1 (or in classes 1, 2, ... where `own_classes`).
struct Sample {
  std::uint64_t id = 1;
  std::string from = "sender@example.org";
  std::vector<std::string> to = {"user@example.com"};
  std::string header = "Subject: x\r\n";
  std::string body = "\r\nhello\r\n";
  bool own_classes = false;
};
QueueId sample_id(std::uint64_t n);
Accept sample(const Sample& sample);
Outcome outcome_of(std::uint64_t id);  // of sample `id`, no rows yet
Outcome finished(std::uint64_t id);

class StoreConformance : public ::testing::TestWithParam<Body> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }
  Store& store() { return under_test_->store(); }
  ManualClock& clock() { return under_test_->clock; }
  std::vector<DueRow> claim_all(std::size_t page = 100);
  // Every row of a message is gone.
  void expect_gone(QueueId id);
  void expect_whole(const Accept& accept);
  std::unique_ptr<StoreUnderTest> under_test_;
};

}  // namespace sidegate::queue
