#include "route/conditions.h"

#include <gtest/gtest.h>

#include "route/ways.h"

namespace sidegate::route::conditions_test {
namespace {

queue::ClassKey key_of(std::string sender, std::string domain, std::string user = "", std::string listener = "in") {
  return {std::move(domain), user.empty() ? sender : user, user, std::move(listener), sender};
}

TEST(Conditions, EachFitsOrNot) {
  struct {
    RouteConditions written;
    queue::ClassKey key;
    Misfit misfit;
  } cases[] = {
      {{}, key_of("me@home.example", "x.example"), Misfit::kNone},
      {{{"Me@Home.example"}, {}, {}, {}}, key_of("me@home.example", "x.example"), Misfit::kNone},
      {{{"me@home.example"}, {}, {}, {}}, key_of("you@home.example", "x.example"), Misfit::kSender},
      {{{"@home.example"}, {}, {}, {}}, key_of("you@home.example", "x.example"), Misfit::kNone},
      {{{"@home.example"}, {}, {}, {}}, key_of("you@not-home.example", "x.example"), Misfit::kSender},
      {{{"@home.example"}, {}, {}, {}}, key_of("you@a.home.example", "x.example"), Misfit::kSender},
      {{{"@.home.example"}, {}, {}, {}}, key_of("you@a.home.example", "x.example"), Misfit::kNone},
      {{{"@.home.example"}, {}, {}, {}}, key_of("you@home.example", "x.example"), Misfit::kSender},
      {{{"*@Home.example."}, {}, {}, {}}, key_of("you@home.example", "x.example"), Misfit::kNone},
      {{{"<>"}, {}, {}, {}}, key_of("", "x.example"), Misfit::kNone},
      {{{"<>"}, {}, {}, {}}, key_of("a@b", "x.example"), Misfit::kSender},
      {{{"*"}, {}, {}, {}}, key_of("", "x.example"), Misfit::kSender},
      {{{"/^bulk-.*@/"}, {}, {}, {}}, key_of("bulk-7@home.example", "x.example"), Misfit::kNone},
      {{{"a@b", "@home.example"}, {}, {}, {}}, key_of("me@home.example", "x.example"), Misfit::kNone},
      {{{"@m\u00fcnchen.example"}, {}, {}, {}}, key_of("a@xn--mnchen-3ya.example", "x.example"), Misfit::kNone},
      {{{"@xn--mnchen-3ya.example"}, {}, {}, {}}, key_of("a@M\u00dcNCHEN.example", "x.example"), Misfit::kNone},
      {{{"A@m\u00fcnchen.example"}, {}, {}, {}}, key_of("a@xn--mnchen-3ya.example", "x.example"), Misfit::kNone},
      {{{"@.m\u00fcnchen.example"}, {}, {}, {}}, key_of("a@mail.xn--mnchen-3ya.example", "x.example"), Misfit::kNone},
      {{{"/@m.*nchen/"}, {}, {}, {}}, key_of("a@m\u00fcnchen.example", "x.example"), Misfit::kNone},
      {{{}, {"X.example"}, {}, {}}, key_of("a@b", "x.example"), Misfit::kNone},
      {{{}, {"@x.example"}, {}, {}}, key_of("a@b", "x.example"), Misfit::kNone},
      {{{}, {"x.example"}, {}, {}}, key_of("a@b", "a.x.example"), Misfit::kRecipient},
      {{{}, {".x.example"}, {}, {}}, key_of("a@b", "a.x.example"), Misfit::kNone},
      {{{}, {".x.example"}, {}, {}}, key_of("a@b", "x.example"), Misfit::kRecipient},
      {{{}, {"*.x.example"}, {}, {}}, key_of("a@b", "a.x.example"), Misfit::kNone},
      {{{}, {"*.x.example"}, {}, {}}, key_of("a@b", "x.example"), Misfit::kRecipient},
      {{{}, {"x.example."}, {}, {}}, key_of("a@b", "x.example"), Misfit::kNone},
      {{{}, {"[192.0.2.1]"}, {}, {}}, key_of("a@b", "[192.0.2.1]"), Misfit::kNone},
      {{{}, {"m\u00fcnchen.example"}, {}, {}}, key_of("a@b", "m\u00fcnchen.example"), Misfit::kNone},
      {{{}, {"m\u00fcnchen.example"}, {}, {}}, key_of("a@b", "xn--mnchen-3ya.example"), Misfit::kNone},
      {{{}, {"xn--mnchen-3ya.example"}, {}, {}}, key_of("a@b", "M\u00dcNCHEN.example"), Misfit::kNone},
      {{{}, {".m\u00fcnchen.example"}, {}, {}}, key_of("a@b", "mail.xn--mnchen-3ya.example"), Misfit::kNone},
      {{{}, {"/^m.*nchen/"}, {}, {}}, key_of("a@b", "m\u00fcnchen.example"), Misfit::kNone},
      {{{}, {"/(docomo|softbank)\\.ne\\.jp$/"}, {}, {}}, key_of("a@b", "docomo.ne.jp"), Misfit::kNone},
      {{{}, {}, {"Taro"}, {}}, key_of("a@b", "x.example", "taro"), Misfit::kNone},
      {{{}, {}, {"taro"}, {}}, key_of("a@b", "x.example"), Misfit::kUser},
      {{{}, {}, {"*"}, {}}, key_of("a@b", "x.example", "hanako"), Misfit::kNone},
      {{{}, {}, {"*"}, {}}, key_of("a@b", "x.example"), Misfit::kUser},
      {{{}, {}, {""}, {}}, key_of("a@b", "x.example"), Misfit::kNone},
      {{{}, {}, {"*@home.example"}, {}}, key_of("a@b", "x.example", "taro@home.example"), Misfit::kNone},
      {{{}, {}, {}, {"submission"}}, key_of("a@b", "x.example"), Misfit::kListener},
      {{{"a@b"}, {"x.example"}, {"taro"}, {"in"}}, key_of("a@b", "x.example", "taro"), Misfit::kNone},
      {{{"a@b"}, {"y.example"}, {"taro"}, {"in"}}, key_of("a@b", "x.example", "taro"), Misfit::kRecipient},
  };
  for (const auto& c : cases) {
    auto made = Conditions::make(c.written);
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ(made->misfit(c.key), c.misfit) << c.key.sender << " to " << c.key.recipient_domain;
  }
}

TEST(Conditions, WhatIsWrongIsNamed) {
  struct {
    RouteConditions written;
    const char* word;
  } cases[] = {{{{"home.example"}, {}, {}, {}}, "\"@home.example\""},
               {{{}, {"me@home.example"}, {}, {}}, "domain"},
               {{{}, {"/(/"}, {}, {}}, "a ( without a )"},
               {{{}, {"x.*.example"}, {}, {}}, "regular expression"},
               {{{}, {"exa mple.org"}, {}, {}}, "no domain"},
               {{{}, {"example..org"}, {}, {}}, "no domain"},
               {{{"me@*.example"}, {}, {}, {}}, "no address"},
               {{{"@home..example"}, {}, {}, {}}, "no domain"},
               {{{}, {}, {"taro@*"}, {}}, "\"*@example.org\""},
               {{{}, {""}, {}, {}}, "empty"}};
  for (const auto& c : cases) {
    auto made = Conditions::make(c.written);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text.find(c.word), std::string::npos) << made.error().text;
  }
}

TEST(Conditions, TheFirstRouteThatFitsWins) {
  auto rule = [](RouteConditions written, std::vector<queue::WayId> ways) {
    Rule made{std::move(ways), Rule::For::kRoute};
    made.conditions = *Conditions::make(written);
    return made;
  };
  Table table({rule({{"@a.example"}, {}, {}, {}}, {1}), rule({{}, {"b.example"}, {}, {}}, {2, 1}),
               Rule{{0}, Rule::For::kLeaves}, Rule{{3}, Rule::For::kStays}});
  EXPECT_EQ(table.ways(key_of("x@a.example", "b.example")), (std::vector<queue::WayId>{1}));
  EXPECT_EQ(table.ways(key_of("x@c.example", "b.example")), (std::vector<queue::WayId>{2, 1}));
  EXPECT_EQ(table.ways(key_of("x@c.example", "c.example")), (std::vector<queue::WayId>{0}));
  // What stays here is no route's business.
  EXPECT_EQ(table.ways(key_of("x@a.example", ".mailbox")), (std::vector<queue::WayId>{3}));
}

}  // namespace
}  // namespace sidegate::route::conditions_test
