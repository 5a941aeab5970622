#include "rewrite/rules.h"

#include <gtest/gtest.h>

namespace sidegate::rewrite::rules_test {
namespace {

const OwnNames kOwn{"nas.home.example", {"nas.home.example", "localhost", "localdomain"}, "+"};

AddressMap map(std::initializer_list<MapEntry> entries) {
  return AddressMap(MapText(entries));
}

TEST(AddressMap, OrderOfLookUps) {
  AddressMap m = map({{"ann@nas.home.example", "ann@isp.example"},
                      {"Root", "me@isp.example"},
                      {"bob+tag@x.example", "tagged@isp.example"},
                      {"bob@x.example", "bob@isp.example"},
                      {"@localdomain", "@example.org"},
                      {"@corp.example", "all@isp.example"},
                      {"\"a b\"@x.example", "ab@isp.example"},
                      {"www-data", "web"}});
  struct {
    const char *why, *address, *expected;
  } cases[] = {
      {"exact", "ann@nas.home.example", "ann@isp.example"},
      {"whatever case", "Ann@NAS.home.Example", "ann@isp.example"},
      {"exact before user", "root@corp.example", "all@isp.example"},
      {"a user of ours", "root@nas.home.example", "me@isp.example"},
      {"user before domain", "root@localdomain", "me@isp.example"},
      {"without a domain", "root", "me@isp.example"},
      {"exact without a domain", "ann", "ann@isp.example"},
      {"a user elsewhere is another one", "root@x.example", ""},
      {"a whole domain to another", "carl@localdomain", "carl@example.org"},
      {"with its tag", "carl+t@localdomain", "carl+t@example.org"},
      {"quoted", "\"c d\"@localdomain", "\"c d\"@example.org"},
      {"a whole domain to one address", "carl@corp.example", "all@isp.example"},
      {"a quoted key", "\"a b\"@x.example", "ab@isp.example"},
      {"with the tag first", "bob+tag@x.example", "tagged@isp.example"},
      {"without it then", "bob+other@x.example", "bob@isp.example"},
      {"a user's tag", "root+cron@localhost", "me@isp.example"},
      {"a value without a domain is ours", "www-data@localhost", "web@nas.home.example"},
      {"below is another domain", "carl@sub.localdomain", ""},
  };
  for (const auto& c : cases) {
    auto hit = m.find(c.address, kOwn, false);
    EXPECT_EQ(hit ? hit->address : "", c.expected) << c.why;
  }
  EXPECT_EQ(m.find("bob+other@x.example", kOwn, true)->address, "bob+other@isp.example");
  EXPECT_EQ(m.find("bob+tag@x.example", kOwn, true)->address, "tagged@isp.example");
  EXPECT_FALSE(m.find("", kOwn, true));
}

TEST(AddressMap, Files) {
  std::vector<std::string> problems;
  MapText entries = parse_map_file("/etc/postfix/generic",
                                   "\xef\xbb\xbf# comment\n\nroot\tme@isp.example\n@localdomain\n   @example.org\r\n"
                                   "\"a b\"@x y@z.example\n  # not a line\nlonely\n/^x/ y@z\nann <ann@x>\n",
                                   problems);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0], (MapEntry{"root", "me@isp.example", "/etc/postfix/generic:3"}));
  EXPECT_EQ(entries[1], (MapEntry{"@localdomain", "@example.org", "/etc/postfix/generic:4"}));
  EXPECT_EQ(entries[2].key, "\"a b\"@x");
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_TRUE(problems[0].starts_with("/etc/postfix/generic:8: "));
  EXPECT_NE(problems[1].find("regular expression"), std::string::npos);
  problems.clear();
  EXPECT_TRUE(parse_map_file("f", " x y@z\n", problems).empty());
  EXPECT_EQ(problems.size(), 1u);
  problems.clear();
  EXPECT_TRUE(parse_map_file("f.db", std::string_view("a\0b", 3), problems).empty());
  EXPECT_EQ(problems.size(), 1u);
}

TEST(AddressMap, BothSpellingsOfADomain) {
  for (const char* written : {"例え.jp", "xn--r8jz45g.jp"}) {
    AddressMap one =
        map({{std::string("taro@") + written, "me@isp.example"}, {std::string("@") + written, "all@isp.example"}});
    for (const char* came : {"例え.jp", "XN--r8jz45g.JP"}) {
      EXPECT_EQ(one.find(std::string("Taro@") + came, kOwn, false)->address, "me@isp.example");
      EXPECT_EQ(one.find(std::string("hana@") + came, kOwn, false)->address, "all@isp.example");
    }
  }
}

TEST(Masquerade, Hosts) {
  Masquerade m;
  m.domains = {"!lab.home.example", "foo.home.example", "home.example"};
  m.exceptions = {"root", "keep@x.home.example", ".test.home.example", "@left.home.example"};
  struct {
    const char *address, *expected;
  } cases[] = {
      {"ann@nas.home.example", "ann@home.example"},
      {"ann@a.b.home.example", "ann@home.example"},
      {"ann@x.foo.home.example", "ann@foo.home.example"},
      {"ann@foo.home.example", "ann@foo.home.example"},
      {"ann@home.example", "ann@home.example"},
      {"ann@HOME.example", "ann@HOME.example"},
      {"ann@pc.lab.home.example", "ann@pc.lab.home.example"},
      {"root@nas.home.example", "root@nas.home.example"},
      {"ROOT@nas.home.example", "ROOT@nas.home.example"},
      {"root", "root"},
      {"ann", "ann@home.example"},
      {"keep@x.home.example", "keep@x.home.example"},
      {"ann@a.test.home.example", "ann@a.test.home.example"},
      {"ann@test.home.example", "ann@home.example"},
      {"ann@left.home.example", "ann@left.home.example"},
      {"ann@otherhome.example", "ann@otherhome.example"},
      {"ann@isp.example", "ann@isp.example"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(m.apply(c.address, kEnvelopeSender, kOwn, nullptr), c.expected) << c.address;
    EXPECT_EQ(m.apply(c.address, kEnvelopeRecipient, kOwn, nullptr), c.address);  // by default
  }
  // Both spellings of a domain are one, and what comes out is what any relay takes.
  m.domains = {"例え.jp"};
  EXPECT_EQ(m.apply("ann@nas.xn--r8jz45g.jp", kEnvelopeSender, kOwn, nullptr), "ann@xn--r8jz45g.jp");
  EXPECT_EQ(m.apply("ann@nas.例え.jp", kEnvelopeSender, kOwn, nullptr), "ann@xn--r8jz45g.jp");
  EXPECT_EQ(m.apply("ann@例え.jp", kEnvelopeSender, kOwn, nullptr), "ann@例え.jp");
  m.domains = {"home.example"};
  m.classes = kEnvelopeSender;
  EXPECT_EQ(m.apply("ann@nas.home.example", kHeaderSender, kOwn, nullptr), "ann@nas.home.example");
}

TEST(Outgoing, InPostfixsOrder) {
  Outgoing rules;
  rules.own = kOwn;
  rules.canonical.sender = map({{"login", "first.last@nas.home.example"}});
  rules.masquerade.domains = {"home.example"};
  rules.generic = map({{"first.last@home.example", "me@isp.example"}, {"me@isp.example", "never@twice.example"}});
  Steps steps;
  EXPECT_EQ(rules.apply("login@localhost", kEnvelopeSender, &steps), "me@isp.example");
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].rule, "sender_canonical_out");
  EXPECT_EQ(steps[1].rule, "masquerade_domains");
  EXPECT_EQ(steps[1].after, "first.last@home.example");
  EXPECT_EQ(steps[2].rule, "generic");
  EXPECT_EQ(steps[2].because, "first.last@home.example me@isp.example");
  EXPECT_EQ(rules.apply("login@localhost", kHeaderRecipient), "login@localhost");
  EXPECT_EQ(rules.apply("", kEnvelopeSender), "");
  EXPECT_EQ(rules.header("From: L <login>\r\nTo: login@localhost, x@pc.home.example\r\nX: login@localhost\r\n"),
            "From: L <me@isp.example>\r\nTo: login@localhost, x@home.example\r\nX: login@localhost\r\n");
  EXPECT_FALSE(rules.header("From: a@b.example\r\n"));
  EXPECT_TRUE(Outgoing().empty());
}

TEST(Canonical, AskedAgainUntilItStays) {
  Incoming rules;
  rules.own = kOwn;
  rules.canonical.all = map({{"a@x.example", "b@x.example"},
                             {"b@x.example", "c@x.example"},
                             {"@x.example", "@y.example"},
                             {"l@z.example", "m@z.example"},
                             {"m@z.example", "l@z.example"}});
  EXPECT_EQ(rules.apply("a@x.example", kEnvelopeRecipient), "c@y.example");
  EXPECT_EQ(rules.apply("a+t@x.example", kEnvelopeRecipient), "c+t@y.example");
  std::string circle = rules.apply("l@z.example", kEnvelopeSender);
  EXPECT_TRUE(circle == "l@z.example" || circle == "m@z.example");
  rules.canonical.classes = kEnvelopeSender;
  EXPECT_EQ(rules.apply("a@x.example", kEnvelopeRecipient), "a@x.example");
  rules.canonical.recipient = map({{"a@x.example", "d@w.example"}});
  EXPECT_EQ(rules.apply("a@x.example", kEnvelopeRecipient), "d@w.example");
  EXPECT_EQ(rules.apply("a@x.example", kHeaderSender), "a@x.example");
}

TEST(IsListed, AddressesAndDomains) {
  const std::vector<std::string> allowed{"me@isp.example", "@home.example", "*@corp.example", ".lab.example"};
  for (const char* yes : {"ME@isp.example", "any@home.example", "x@CORP.example", "x@a.lab.example"})
    EXPECT_TRUE(is_listed(yes, allowed)) << yes;
  EXPECT_TRUE(is_listed("x@xn--r8jz45g.jp", {"@例え.jp"}));
  EXPECT_TRUE(is_listed("Me@例え.jp", {"me@xn--r8jz45g.jp"}));
  EXPECT_TRUE(is_listed("x@a.例え.jp", {".xn--r8jz45g.jp"}));
  for (const char* no : {"you@isp.example", "x@a.home.example", "x@lab.example", "home.example", "", "me"})
    EXPECT_FALSE(is_listed(no, allowed)) << no;
}

}  // namespace
}  // namespace sidegate::rewrite::rules_test
