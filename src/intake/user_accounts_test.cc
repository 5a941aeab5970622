// Limits, the burst and what outlives a restart.
#include "intake/user_accounts.h"

#include <gtest/gtest.h>

#include <thread>

#include "intake/fake_store.h"
#include "intake/user_replies.h"

namespace sidegate::intake::user_accounts_test {
namespace {

using namespace std::chrono_literals;
using quota::Measure;

struct Table {
  ManualClock clock;
  FakeStore store;
  UserAccounts users{clock, null_log()};
  unsigned changes = 0;

  explicit Table(const UserRules& everybody) {
    set(everybody);
    EXPECT_TRUE(users.load(store));
    users.set_listener([this] { ++changes; });
  }
  void set(const UserRules& everybody) {
    UserSettings settings;
    settings.everybody = everybody;
    users.set(settings);
  }
  bool send(const std::string& user, std::uint64_t recipients = 1) {
    const SteadyTime now = clock.steady();
    if (users.reserve(user, false, Measure::kMessages, 1, now)) return false;
    const bool counted = !users.reserve(user, false, Measure::kRecipients, recipients, now);
    if (!counted || users.too_much_at_once(user, false)) {
      users.give_back(user, Measure::kMessages, 1, now);
      if (counted) users.give_back(user, Measure::kRecipients, recipients, now);
      return false;
    }
    users.taken(user, recipients);
    return true;
  }
};

TEST(UserAccounts, EachUserHasLimitsOfHisOwn) {
  Table t({.messages_per_minute = 2, .recipients_per_hour = 5});
  EXPECT_TRUE(t.send("taro"));
  EXPECT_TRUE(t.send("TARO"));  // the same user
  EXPECT_FALSE(t.send("taro"));
  EXPECT_TRUE(t.send("hanako"));
  t.clock.advance(66s);
  EXPECT_TRUE(t.send("taro"));
  EXPECT_FALSE(t.send("taro", 3));  // 3 of 5 recipients are used
  EXPECT_TRUE(t.send("taro", 2));
  EXPECT_EQ(t.users.limited(), 2u);
  t.set({.messages_per_minute = 100});
  EXPECT_TRUE(t.send("taro", 100));
}

TEST(UserAccounts, CountsAndSuspensionsOutliveTheProcess) {
  Table t({.messages_per_day = 3});
  ASSERT_TRUE(t.send("taro@example.jp"));
  ASSERT_TRUE(t.send("taro@example.jp"));
  ASSERT_TRUE(t.users.suspend("Hanako@example.jp", "asked for"));
  EXPECT_EQ(t.changes, 1u);
  EXPECT_EQ(*t.users.suspended(), std::vector<std::string>{"hanako@example.jp"});
  UserAccounts again(t.clock, null_log());
  UserSettings settings;
  settings.everybody.messages_per_day = 3;
  again.set(settings);
  ASSERT_TRUE(again.load(t.store));
  EXPECT_EQ(again.stopped("hanako@example.jp")->reason, "asked for");
  const SteadyTime now = t.clock.steady();
  EXPECT_FALSE(again.reserve("taro@example.jp", false, Measure::kMessages, 1, now));
  EXPECT_TRUE(again.reserve("taro@example.jp", false, Measure::kMessages, 1, now));
  EXPECT_TRUE(again.resume("hanako@example.jp"));
  EXPECT_FALSE(again.resume("hanako@example.jp"));
  EXPECT_FALSE(again.resume("nobody"));
}

TEST(UserAccounts, AProgramsUserIsStillOneAfterARestart) {
  Table t({.messages_per_day = 3});
  UserSettings settings;
  settings.programs.messages_per_day = 7;
  t.users.set(settings);
  ASSERT_FALSE(t.users.reserve("www-data", true, Measure::kMessages, 1, t.clock.steady()));
  t.users.taken("www-data", 1);
  UserAccounts again(t.clock, null_log());
  again.set(settings);
  ASSERT_TRUE(again.load(t.store));
  const auto standings = again.standings();
  ASSERT_EQ(standings.size(), 1u);
  const auto day = std::ranges::find_if(standings[0].used, [](const UsedLimit& one) {
    return one.limit.kind == quota::Kind{Measure::kMessages, quota::Span::kDay};
  });
  ASSERT_NE(day, standings[0].used.end());
  EXPECT_EQ(day->limit.most, 7u);
}

TEST(UserAccounts, WhoHasSentNothingForAMonthIsForgotten) {
  Table t({.messages_per_day = 3});
  ASSERT_TRUE(t.send("taro"));
  ASSERT_TRUE(t.users.suspend("hanako", ""));
  t.clock.advance(31 * 24h);
  t.users.forget_old();
  EXPECT_EQ(t.store.kept_notes["user/taro"], "");
  EXPECT_NE(t.store.kept_notes["user/hanako"], "");
  ASSERT_EQ(t.users.standings().size(), 1u);
  EXPECT_TRUE(t.users.stopped("hanako"));
}

TEST(UserAccounts, ADamagedRowBlocksNobody) {
  Table t({.messages_per_day = 3});
  t.store.kept_notes["user/taro"] = "nonsense";
  UserAccounts again(t.clock, null_log());
  EXPECT_TRUE(again.load(t.store));
  EXPECT_EQ(t.store.kept_notes["user/taro"], "");
}

TEST(UserAccounts, ABurstSuspendsThatUserAlone) {
  Table t({.suspend_factor = 10, .suspend_floor = 20});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(t.send("taro")) << i;
  ASSERT_TRUE(t.send("hanako"));
  EXPECT_FALSE(t.send("taro"));
  ASSERT_TRUE(t.users.stopped("taro"));
  EXPECT_TRUE(t.users.stopped("taro")->by_itself);
  EXPECT_EQ(t.users.suspensions(), 1u);
  EXPECT_EQ(t.changes, 1u);
  ASSERT_EQ(t.users.untold().size(), 1u);
  t.users.told("taro");
  EXPECT_TRUE(t.users.untold().empty());
  EXPECT_TRUE(t.send("hanako"));
  // It was fine: the rest may go now, and as many next time.
  ASSERT_TRUE(t.users.resume("taro"));
  EXPECT_TRUE(t.send("taro", 30));
  t.clock.advance(3h);
  EXPECT_TRUE(t.send("taro", 60));
  t.clock.advance(3h);
  EXPECT_FALSE(t.send("taro", 1000));
}

// At DATA, when the whole of it is known: what comes of it is given back, and is what was let pass all the same.
TEST(UserAccounts, WhatAStopWasForIsLetPass) {
  Table t({.suspend_factor = 10, .suspend_floor = 20});
  ASSERT_TRUE(t.send("taro", 5));
  EXPECT_FALSE(t.send("taro", 300));
  ASSERT_TRUE(t.users.stopped("taro"));
  EXPECT_EQ(t.users.stopped("taro")->sent, 305u);
  t.clock.advance(5h);
  ASSERT_TRUE(t.users.resume("taro"));
  t.clock.advance(3h);
  EXPECT_TRUE(t.send("taro", 300));
  t.clock.advance(3h);
  EXPECT_FALSE(t.send("taro", 3000));
}

// Who was suspended by hand has no free hours behind it.
TEST(UserAccounts, AnOperatorsStopIsNoJudgementOnHowMuchIsUsual) {
  Table t({.suspend_factor = 10, .suspend_floor = 20});
  ASSERT_TRUE(t.send("taro"));
  ASSERT_TRUE(t.users.suspend("taro", "asked for"));
  ASSERT_TRUE(t.users.resume("taro"));
  EXPECT_EQ(t.users.times_resumed("Taro"), 1u);
  EXPECT_FALSE(t.send("taro", 1000));
  EXPECT_TRUE(t.users.stopped("taro"));
}

TEST(UserAccounts, WhatIsUsualIsNoBurst) {
  Table t({.suspend_factor = 10, .suspend_floor = 20});
  for (int hour = 0; hour < 30; ++hour) {
    ASSERT_TRUE(t.send("taro", 10)) << hour;
    t.clock.advance(2h);
  }
  EXPECT_TRUE(t.send("taro", 99));
  EXPECT_FALSE(t.send("taro", 10));
  t.set({.suspend_factor = 0});
  EXPECT_TRUE(t.send("hanako", 100'000));
}

TEST(UserAccounts, ConnectionsGiveTheirPlaceBack) {
  Table t({.connections = 2});
  UserAccounts::Place a, b, c;
  EXPECT_TRUE(t.users.enter("taro", 2, &a));
  EXPECT_TRUE(t.users.enter("Taro", 2, &b));
  EXPECT_FALSE(t.users.enter("taro", 2, &c));
  EXPECT_TRUE(t.users.enter("hanako", 2, &c));
  b = {};
  c = {};
  EXPECT_TRUE(t.users.enter("taro", 2, &c));
  a = {};
  c = {};
  EXPECT_TRUE(t.users.standings().empty());  // nothing else is known of them
}

TEST(UserAccounts, TheLimitHoldsForManyThreads) {
  Table t({.messages_per_hour = 1000, .suspend_factor = 0});
  std::atomic<unsigned> taken{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 300; ++n) {
          if (!t.users.reserve("taro", false, Measure::kMessages, 1, t.clock.steady())) ++taken;
        }
      });
    }
  }
  EXPECT_EQ(taken, 1000u);
}

TEST(UserNotes, AreChangedWhileNoServerRuns) {
  Table t({.messages_per_day = 3});
  ASSERT_TRUE(t.send("taro"));
  auto note = suspended_note(t.store, "taro", "by hand", t.clock);
  ASSERT_TRUE(note);
  t.store.kept_notes[note->key] = note->value;
  EXPECT_EQ(suspended_note(t.store, "taro", "", t.clock).error().kind, ErrorKind::kConflict);
  UserAccounts again(t.clock, null_log());
  ASSERT_TRUE(again.load(t.store));
  EXPECT_EQ(again.stopped("taro")->reason, "by hand");
  EXPECT_EQ(again.standings()[0].used[0].used, 1u);
  note = resumed_note(t.store, "taro", t.clock);
  ASSERT_TRUE(note);
  EXPECT_EQ(resumed_note(t.store, "hanako", t.clock).error().kind, ErrorKind::kConflict);
}

TEST(UserReplies, SayWhatAndWhen) {
  using quota::Span;
  struct {
    quota::Over over;
    const char* line;
  } cases[] = {
      {{{{Measure::kMessages, Span::kMinute}, 3}, 40s},
       "450 4.7.1 Limit of 3 messages a minute reached for taro; there is room again in 40 seconds"},
      {{{{Measure::kRecipients, Span::kHour}, 1}, 12min},
       "452 4.5.3 Limit of 1 recipient an hour reached for taro; there is room again in 12 minutes"},
      {{{{Measure::kOctets, Span::kDay}, 1000}, 3h},
       "452 4.7.1 Limit of 1000 octets a day reached for taro; there is room again in 3 hours"},
      {{{{Measure::kOctets, Span::kDay}, 1000}, 0s, true},
       "552 5.3.4 Message is larger than what taro may send: 1000 octets a day"},
  };
  for (const auto& c : cases) EXPECT_EQ(over_limit("taro", c.over).line(), c.line);
  EXPECT_EQ(not_own_address("taro", "", "boss@example.jp").line().substr(0, 46),
            "553 5.7.1 taro may not send as boss@example.jp");
  EXPECT_TRUE(not_own_address("taro", "From", "b\xc3\xb6ss@example.jp")
                  .line()
                  .starts_with("550 5.7.1 taro may not send as b??ss@example.jp (From)"));
  EXPECT_TRUE(is_suspended("taro", {}).line().starts_with("450 4.7.1 "));
}

}  // namespace
}  // namespace sidegate::intake::user_accounts_test
