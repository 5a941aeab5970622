#include "screen/inquiry.h"

#include <gtest/gtest.h>

#include "screen/table_asker.h"

namespace sidegate::screen::inquiry_test {
namespace {

// Answers nothing until it is told to.
class SlowAsker final : public Asker {
 public:
  explicit SlowAsker(net::Loop& loop) : answer_(loop) {}
  net::Awaitable<Found> records(net::Loop&, std::string, dns::RecordType, Duration) override {
    co_return std::vector<std::string>{"192.0.2.1"};
  }
  net::Awaitable<Found> names(net::Loop&, std::string, Duration) override {
    co_await answer_.wait();
    co_return std::vector<std::string>{"mx.example"};
  }
  void answer() { answer_.fire(); }

 private:
  Signal answer_;
};

struct InquiryTest : testing::Test {
  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  SlowAsker asker{loop};
  std::shared_ptr<Inquiry> inquiry = std::make_shared<Inquiry>(asker, loop, "192.0.2.1");
};

net::Awaitable<void> wait_for_name(std::shared_ptr<Inquiry> inquiry, Duration limit, std::string* name) {
  co_await inquiry->wait_for_name(limit);
  *name = inquiry->name().verified;
}

net::Awaitable<void> wait_for_all(std::shared_ptr<Inquiry> inquiry, std::string* name) {
  co_await inquiry->wait_for_all();
  *name = inquiry->name().verified;
}

TEST_F(InquiryTest, TheGreetingWaitsNoLongerThanItsDelay) {
  std::string name = "not yet";
  inquiry->begin_name(Duration(5000));
  // The clock is moved once the wait has begun.
  auto late = [](InquiryTest* test, std::string* out) -> net::Awaitable<void> {
    test->loop.post([test] {
      test->loop.post([test] {
        test->clock.advance(Duration(3000));
        test->loop.check_deadlines();
      });
    });
    co_await wait_for_name(test->inquiry, Duration(2000), out);
  };
  run_on(loop, late(this, &name));
  EXPECT_EQ(name, "");
  // The answer comes later, for who waits for it.
  loop.context().restart();
  asker.answer();
  run_on(loop, wait_for_all(inquiry, &name));
  EXPECT_EQ(name, "mx.example");
}

TEST_F(InquiryTest, MayBeGivenUp) {
  std::string name = "not yet";
  inquiry->begin_name(Duration(5000));
  auto give_up = [](InquiryTest* test, std::string* out) -> net::Awaitable<void> {
    test->loop.post([test] { test->inquiry->cancel(); });
    co_await wait_for_all(test->inquiry, out);
    co_await wait_for_name(test->inquiry, Duration(60'000), out);
  };
  run_on(loop, give_up(this, &name));
  EXPECT_EQ(name, "");
}

TEST_F(InquiryTest, NoDelayNoWait) {
  std::string name = "not yet";
  inquiry->begin_name(Duration(5000));
  run_on(loop, wait_for_name(inquiry, Duration(0), &name));
  EXPECT_EQ(name, "");
}

// Has no memory for an answer.
class StarvedAsker final : public Asker {
 public:
  net::Awaitable<Found> records(net::Loop&, std::string, dns::RecordType, Duration) override {
    throw std::bad_alloc();
    co_return Found();
  }
  net::Awaitable<Found> names(net::Loop&, std::string, Duration) override {
    throw std::bad_alloc();
    co_return Found();
  }
};

TEST_F(InquiryTest, AQuestionWithoutMemoryLeavesNobodyWaiting) {
  StarvedAsker starved;
  auto asked = std::make_shared<Inquiry>(starved, loop, "192.0.2.1");
  std::vector<BlockList> lists = {*BlockList::make({.zone = "l.example"})};
  std::string name = "not yet";
  asked->begin_name(Duration(5000));
  asked->begin_lists(std::make_shared<BlockLists>(std::move(lists), clock, null_log()), Duration(5000));
  auto both = [](std::shared_ptr<Inquiry> inquiry, std::string* out) -> net::Awaitable<void> {
    co_await inquiry->wait_for_name(Duration(60'000));
    co_await inquiry->wait_for_all();
    *out = inquiry->name().verified;
  };
  run_on(loop, both(asked, &name));
  EXPECT_EQ(name, "");
  ASSERT_EQ(asked->listings().size(), 1u);
  EXPECT_FALSE(asked->listings()[0].listed);
}

// What is still asked when the loop goes leaves nothing behind (the sanitizers look).
TEST_F(InquiryTest, EndsWithItsLoop) {
  std::string name;
  inquiry->begin_name(Duration(5000));
  loop.spawn("waits", wait_for_all(inquiry, &name));
  loop.context().poll();
  inquiry.reset();
}

}  // namespace
}  // namespace sidegate::screen::inquiry_test
