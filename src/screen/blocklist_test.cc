#include "screen/blocklist.h"

#include <gtest/gtest.h>

#include "screen/blocklists.h"
#include "screen/inquiry.h"
#include "screen/table_asker.h"

namespace sidegate::screen::blocklist_test {
namespace {

using Strings = std::vector<std::string>;

TEST(AnswerFilter, PostfixSyntax) {
  struct {
    const char* filter;
    Strings in, out;
  } cases[] = {
      {"127.0.0.2", {"127.0.0.2"}, {"127.0.0.3", "127.0.1.2", "128.0.0.2"}},
      {"127.0.0.[2..11]", {"127.0.0.2", "127.0.0.11"}, {"127.0.0.1", "127.0.0.12"}},
      {"127.0.0.[2;4..6;9]", {"127.0.0.2", "127.0.0.5", "127.0.0.9"}, {"127.0.0.3", "127.0.0.7"}},
      {"127.0.[0..255].[1;2]", {"127.0.77.1"}, {"127.0.77.3", "127.1.77.1"}},
      {"127.[0;1].0.2", {"127.1.0.2"}, {"127.2.0.2", "::2"}},
  };
  for (const auto& c : cases) {
    auto filter = AnswerFilter::parse(c.filter);
    ASSERT_TRUE(filter) << c.filter;
    for (const std::string& one : c.in)
      EXPECT_TRUE(filter->matches(*net::parse_address(one))) << c.filter << " " << one;
    for (const std::string& one : c.out)
      EXPECT_FALSE(filter->matches(*net::parse_address(one))) << c.filter << " " << one;
  }
  for (const char* bad : {"", "127.0.0", "127.0.0.2.3", "127.0.0.256", "127.0.0.[", "127.0.0.[]", "127.0.0.[2",
                          "127.0.0.2]", "127.0.0.[5..2]", "127.0.0.[2..]", "127.0.0.2..3", "127.0.0.[2,3]", "127.0.0.x",
                          "127.0.0.[2;;3]", "127.0.0.0002", "127.0.0.-1"})
    EXPECT_FALSE(AnswerFilter::parse(bad)) << bad;
}

TEST(BlockList, ZoneAsPostfixWritesIt) {
  struct {
    const char *text, *zone;
    std::size_t filters;
    int weight;
  } cases[] = {
      {"zen.example.", "zen.example", 0, 1},
      {"Zen.Example*3", "zen.example", 0, 3},
      {"list.example=127.0.[0..255].[1..3]*-4", "list.example", 1, -4},
      {"list.example=127.0.0.2", "list.example", 1, 1},
  };
  for (const auto& c : cases) {
    BlockListSettings settings;
    settings.zone = c.text;
    auto list = BlockList::make(settings);
    ASSERT_TRUE(list) << c.text;
    EXPECT_EQ(list->zone, c.zone);
    EXPECT_EQ(list->name, c.zone);
    EXPECT_EQ(list->answers.size(), c.filters);
    EXPECT_EQ(list->weight, c.weight);
  }
  for (const char* bad : {"", "zen", "127.0.0.1", "a b.example", "zen.example*", "zen.example*x", "zen.example*99999",
                          "zen.example=", "zen.example=127.0.0.2*", "=127.0.0.2"}) {
    BlockListSettings settings;
    settings.zone = bad;
    EXPECT_FALSE(BlockList::make(settings)) << bad;
  }
  BlockListSettings twice{"zen.example=127.0.0.2", "", {"127.0.0.3"}};
  EXPECT_FALSE(BlockList::make(twice));
}

BlockList list_of(std::string zone, int weight = 1, Action action = Action::kReject) {
  BlockListSettings settings;
  settings.zone = std::move(zone);
  settings.weight = weight;
  settings.action = action;
  return *BlockList::make(settings);
}

TEST(BlockList, Answers) {
  struct {
    const char* why;
    const char* zone;
    Strings answers;
    ListAnswer expected;
  } cases[] = {
      {"any", "l.example", {"127.0.0.2"}, ListAnswer::kListed},
      {"filtered", "l.example=127.0.0.[4..7]", {"127.0.0.2"}, ListAnswer::kNothing},
      {"one of several", "l.example=127.0.0.[4..7]", {"127.0.0.2", "127.0.0.4"}, ListAnswer::kListed},
      {"refused", "l.example", {"127.255.255.254"}, ListAnswer::kRefused},
      {"refused, whatever counts",
       "l.example=127.[0..255].[0..255].[0..255]",
       {"127.255.255.252"},
       ListAnswer::kRefused},
      {"a parked domain", "l.example", {"192.0.2.80"}, ListAnswer::kNonsense},
      {"no address", "l.example", {"x"}, ListAnswer::kNonsense},
      {"none", "l.example", {}, ListAnswer::kNothing},
  };
  for (const auto& c : cases) EXPECT_EQ(judge_answer(list_of(c.zone), c.answers), c.expected) << c.why;
}

TEST(BlockList, WhatTheyComeTo) {
  const BlockList one = list_of("one.example"), two = list_of("two.example", 2), allow = list_of("dnswl.example", -3),
                  tag = list_of("tag.example", 5, Action::kTag), off = list_of("off.example", 9, Action::kOff);
  struct {
    const char* why;
    std::vector<const BlockList*> listed;
    int threshold;
    Action action;
    const char* worst;
  } cases[] = {
      {"nowhere", {}, 1, Action::kOff, ""},
      {"one", {&one}, 1, Action::kReject, "one.example"},
      {"one is not enough", {&one}, 3, Action::kOff, ""},
      {"both are", {&one, &two}, 3, Action::kReject, "two.example"},
      {"allowed", {&one, &two, &allow}, 1, Action::kOff, ""},
      {"tagged", {&tag}, 1, Action::kTag, "tag.example"},
      {"tagged for the sum, refused for nothing", {&one, &tag}, 2, Action::kTag, "tag.example"},
      {"refused by the one that may", {&one, &tag}, 1, Action::kReject, "one.example"},
      {"allowed, and tagged nevertheless", {&one, &allow, &tag}, 1, Action::kTag, "tag.example"},
      {"off counts nothing", {&off}, 1, Action::kOff, ""},
  };
  for (const auto& c : cases) {
    std::vector<Listing> listings;
    for (const BlockList* list : c.listed) listings.push_back({list, true, {}});
    listings.push_back({&two, false, {}});
    const Score got = score(listings, c.threshold);
    EXPECT_EQ(got.action, c.action) << c.why;
    EXPECT_EQ(got.worst ? got.worst->list->name : "", c.worst) << c.why;
  }
}

struct Lists : testing::Test {
  ManualClock clock;
  net::Loop loop{0, clock, null_log()};
  TableAsker asker;
  std::shared_ptr<BlockLists> lists;

  static net::Awaitable<void> inquire(std::shared_ptr<Inquiry> inquiry) { co_await inquiry->wait_for_all(); }
  std::vector<Listing> listings(const std::string& address) {
    auto inquiry = std::make_shared<Inquiry>(asker, loop, address);
    inquiry->begin_lists(lists, Duration(1000));
    loop.context().restart();
    run_on(loop, inquire(inquiry));
    return inquiry->listings();
  }
};

TEST_F(Lists, AreAskedTogether) {
  lists = std::make_shared<BlockLists>(
      std::vector{list_of("a.example"), list_of("b.example"), list_of("w.example", -1)}, clock, null_log());
  asker.table = {{"1.2.0.192.a.example A", {"127.0.0.2"}},
                 {"1.2.0.192.a.example TXT", {"see https://a.example/192.0.2.1\r\n250 ok"}},
                 {"1.2.0.192.w.example A", {"127.0.0.2"}}};
  auto got = listings("192.0.2.1");
  ASSERT_EQ(got.size(), 3u);
  EXPECT_TRUE(got[0].listed);
  EXPECT_EQ(got[0].text, "see https://a.example/192.0.2.1??250 ok");
  EXPECT_FALSE(got[1].listed);
  EXPECT_TRUE(got[2].listed);
  EXPECT_EQ(asker.asked.size(), 4u);
  for (const Listing& one : listings("unix")) EXPECT_FALSE(one.listed);
  // RFC 5782 section 2.4
  asker.table["1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.b.example A"] = {"127.0.0.2"};
  got = listings("2001:db8::1");
  EXPECT_TRUE(got[1].listed);
  EXPECT_FALSE(got[0].listed);
}

// Answers after a while.
class LateAsker final : public Asker {
 public:
  LateAsker(ManualClock& clock, Duration late) : clock_(clock), late_(late) {}
  std::vector<Duration> limits;
  net::Awaitable<Found> records(net::Loop&, std::string, dns::RecordType type, Duration limit) override {
    limits.push_back(limit);
    clock_.advance(late_);
    co_return std::vector<std::string>{type == dns::RecordType::kA ? "127.0.0.2" : "a reason"};
  }
  net::Awaitable<Found> names(net::Loop&, std::string, Duration) override { co_return std::vector<std::string>{}; }

 private:
  ManualClock& clock_;
  Duration late_;
};

TEST_F(Lists, BothQuestionsTogetherHaveOneLimit) {
  struct {
    int late;
    std::vector<Duration> limits;
    const char* text;
  } cases[] = {{600, {Duration(1000), Duration(400)}, "a reason"}, {1000, {Duration(1000)}, ""}};
  for (const auto& c : cases) {
    lists = std::make_shared<BlockLists>(std::vector{list_of("a.example")}, clock, null_log());
    LateAsker late(clock, Duration(c.late));
    auto inquiry = std::make_shared<Inquiry>(late, loop, "192.0.2.1");
    inquiry->begin_lists(lists, Duration(1000));
    loop.context().restart();
    run_on(loop, inquire(inquiry));
    EXPECT_EQ(late.limits, c.limits);
    EXPECT_TRUE(inquiry->listings()[0].listed);
    EXPECT_EQ(inquiry->listings()[0].text, c.text);
  }
}

TEST_F(Lists, ASilentOneListsNobodyAndIsLeftAlone) {
  lists = std::make_shared<BlockLists>(std::vector{list_of("a.example")}, clock, null_log());
  asker.trouble["1.2.0.192.a.example A"] = ErrorKind::kTimeout;
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(listings("192.0.2.1")[0].listed);
  EXPECT_EQ(asker.asked.size(), 5u);
  clock.advance(Duration(61'000));
  asker.trouble.clear();
  asker.table["1.2.0.192.a.example A"] = {"127.0.0.2"};
  EXPECT_TRUE(listings("192.0.2.1")[0].listed);
}

}  // namespace
}  // namespace sidegate::screen::blocklist_test
