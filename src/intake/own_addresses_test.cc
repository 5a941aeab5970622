#include "intake/own_addresses.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sidegate::intake::own_addresses_test {
namespace {

const OwnDomains kDomains{"mail.example.jp", {"example.jp", "localhost"}, "+"};

TEST(OwnAddresses, ByNameByListAndByDomain) {
  struct {
    const char* user;
    std::vector<std::string> senders;
    const char* address;
    bool own;
  } cases[] = {
      {"taro@example.jp", {}, "taro@example.jp", true},
      {"taro@example.jp", {}, "Taro@EXAMPLE.jp", true},
      {"taro@example.jp", {}, "\"taro\"@example.jp", true},
      {"taro@example.jp", {}, "taro+shop@example.jp", true},
      {"taro@example.jp", {}, "taro+a+b@example.jp", true},
      {"taro@example.jp", {}, "taro-shop@example.jp", false},
      {"taro@example.jp", {}, "hanako@example.jp", false},
      {"taro@example.jp", {}, "taro@mail.example.jp", false},
      {"taro@example.jp", {}, "taro@example.jp.evil.example", false},
      {"taro@example.jp", {}, "\"taro@example.jp\"@evil.example", false},
      {"taro@example.jp", {}, "taro", false},
      {"taro@example.jp", {}, "", false},
      // A name without a domain: at each domain of ours, nowhere else.
      {"taro", {}, "taro@mail.example.jp", true},
      {"taro", {}, "taro@example.jp", true},
      {"taro", {}, "TARO+x@example.jp", true},
      {"taro", {}, "taro@example.com", false},
      {"taro", {}, "taro@sub.example.jp", false},
      {"taro", {}, "taroo@example.jp", false},
      // What is listed, as well.
      {"taro", {"info@example.org"}, "info@example.org", true},
      {"taro", {"info@example.org"}, "INFO+news@Example.org", true},
      {"taro", {"info@example.org"}, "taro@example.jp", true},
      {"taro", {"info@example.org"}, "other@example.org", false},
      {"taro", {"@example.org"}, "anybody@Example.ORG", true},
      {"taro", {"@example.org"}, "x@sub.example.org", false},
      {"taro", {"@example.org"}, "x@notexample.org", false},
      {"taro", {"@example.org"}, "\"x@example.org\"@evil.example", false},
      {"taro", {"*"}, "who@ever.example", true},
      {"taro", {"@例え.jp"}, "x@xn--r8jz45g.jp", true},  // both spellings of a domain are one
      {"taro", {"a@xn--r8jz45g.jp"}, "a@例え.jp", true},
      {"taro@例え.jp", {}, "taro@xn--r8jz45g.jp", true},
      // A plus in what is listed is no tag.
      {"taro", {"a+b@example.org"}, "a+b@example.org", true},
      {"taro", {"a+b@example.org"}, "a@example.org", false},
  };
  for (const auto& c : cases) {
    UserRules rules;
    rules.senders = c.senders;
    EXPECT_EQ(OwnAddresses(rules, c.user, kDomains).has(c.address), c.own) << c.user << " as " << c.address;
  }
}

TEST(OwnAddresses, TheFirstIsWhatMailIsSentAs) {
  struct {
    const char* user;
    std::vector<std::string> senders;
    const char* first;
  } cases[] = {
      {"taro@example.jp", {}, "taro@example.jp"},
      {"taro", {}, "taro@mail.example.jp"},
      {"taro", {"@example.org", "*", "info@example.org", "b@example.org"}, "info@example.org"},
      {"taro", {"@example.org"}, "taro@mail.example.jp"},
  };
  for (const auto& c : cases) {
    UserRules rules;
    rules.senders = c.senders;
    EXPECT_EQ(OwnAddresses(rules, c.user, kDomains).first(), c.first);
  }
}

TEST(OwnAddresses, NobodysTagReachesAnotherDomain) {
  EXPECT_TRUE(rc::check([](const std::string& local) {
    UserRules rules;
    RC_ASSERT(!OwnAddresses(rules, "taro@example.jp", kDomains).has(local + "@evil.example"));
    OwnAddresses(rules, local, kDomains).has("x@" + local);
  }));
}

TEST(NamedSenders, EveryAddressOfFromAndSender) {
  struct {
    const char* header;
    std::vector<std::string> named;  // field:address
  } cases[] = {
      {"To: a@b\r\nFrom: Taro <taro@example.jp>\r\n", {"From:taro@example.jp"}},
      {"from: taro\r\n", {"From:taro@mx.example"}},
      {"From: a@x.example, B <b@x.example>\r\nSender: c@x.example\r\n",
       {"From:a@x.example", "From:b@x.example", "Sender:c@x.example"}},
      {"From: \"boss@example.jp\" <taro@example.jp>\r\n", {"From:taro@example.jp"}},
      {"From: a@x.example\r\nFrom: b@x.example\r\n", {"From:a@x.example", "From:"}},
      {"From: <\r\n", {"From:"}},
      {"From:\r\n", {"From:"}},
      {"From: undisclosed:;\r\n", {"From:"}},
      {"From: =?utf-8?q?t?=\r\n <taro@example.jp>\r\n", {"From:taro@example.jp"}},
      {"Subject: From: x@y\r\nX-From: x@y\r\n", {}},
      {"Resent-From: x@y.example\r\n", {}},
      {"", {}},
  };
  for (const auto& c : cases) {
    std::vector<std::string> named;
    for (const NamedSender& one : named_senders(c.header, "mx.example"))
      named.push_back(std::string(one.field) + ":" + one.address);
    EXPECT_EQ(named, c.named) << c.header;
  }
}

TEST(NamedSenders, AFieldOfVeryManyIsNotRead) {
  std::string header = "From: a0@x.example";
  for (int i = 1; i < 100; ++i) header += ", a" + std::to_string(i) + "@x.example";
  EXPECT_EQ(named_senders(header + "\r\n", "mx.example").size(), 100u);
  const auto many = named_senders(header + ", more@x.example\r\n", "mx.example");
  ASSERT_EQ(many.size(), 1u);
  EXPECT_EQ(many[0].address, "");
}

TEST(UserRules, TheBlockOfTheNameThenThePatterns) {
  UserSettings settings;
  settings.everybody.messages_per_day = 1;
  auto block = [&](const char* name, std::uint64_t n) {
    UserRules rules;
    rules.name = name;
    rules.messages_per_day = n;
    settings.some.push_back(rules);
  };
  block("*@example.jp", 2);
  block("taro@example.jp", 3);
  block("www-data", 4);
  block("*", 5);
  struct {
    const char* user;
    bool program;
    std::uint64_t n;
  } cases[] = {
      {"taro@example.jp", false, 3}, {"hanako@example.jp", false, 2}, {"x@other.example", false, 5},
      {"www-data", true, 4},         {"www-data", false, 4},          {"root", true, 0},
  };
  for (const auto& c : cases) EXPECT_EQ(settings.of(c.user, c.program).messages_per_day, c.n) << c.user;
  EXPECT_EQ(UserSettings().of("anybody", false).suspend_factor, 10u);
  EXPECT_EQ(UserSettings().of("root", true).suspend_factor, 0u);
}

}  // namespace
}  // namespace sidegate::intake::own_addresses_test
