#include "alias/check.h"

#include <gtest/gtest.h>

#include "alias/address.h"
#include "alias/fake_sources.h"

namespace sidegate::alias::check_test {
namespace {

struct House {
  Settings settings;
  FakeSources sources;
  House() {
    settings.local_domains = {"gate.test"};
    settings.alias_files = {"/etc/aliases"};
    settings.hostname = "gate.test";
    sources.users = {"root", "alice"};
  }
  Tables tables(const char* aliases, const char* virtuals = "") const {
    return Tables::make({parse_aliases("/etc/aliases", aliases)}, {parse_virtual("virtual", virtuals)});
  }
};

TEST(Check, FindsWhereLinesLead) {
  House house;
  house.sources.includes = {{"/l", "alice\n"}, {"/bad", "a b\n"}};
  Tables tables = house.tables(
      "ok: alice\nlist: :include:/l\nloop: loop2\nloop2: loop\nnobody: ghost\nbad: :include:/bad\nnot: "
      ":include:/none\n",
      "v@shop.test ghost\n");
  Checked checked = check(house.settings, tables, house.sources);
  EXPECT_EQ(checked.files.size(), 2u);
  EXPECT_EQ(checked.files[0].entries, 7u);
  EXPECT_EQ(checked.includes, 1u);
  std::string all;
  for (const Problem& p : checked.problems) all += p.text() + "\n";
  for (const char* expected :
       {"/etc/aliases:3: loop leads back to itself", "/etc/aliases:5: ghost@gate.test is nobody",
        "/bad:1: \"a b\": words without", "/etc/aliases:7: /none: No such file", "virtual:1: ghost"})
    EXPECT_NE(all.find(expected), std::string::npos) << expected << " in\n" << all;
  EXPECT_EQ(all.find("ok"), std::string::npos) << all;
}

TEST(Check, RootMustLeadSomewhere) {
  struct {
    const char* aliases;
    std::vector<const char*> expected;
  } cases[] = {
      {"root: me@isp.example\n", {}},
      {"root: alice\n", {}},
      {"root: |/bin/prog\n", {}},
      {"", {"/etc/aliases: mail for root stays in root's mailbox"}},
      {"root: root\n", {"/etc/aliases:1: mail for root stays in root's mailbox"}},
      {"root: /dev/null\n", {"/etc/aliases:1: mail for root is thrown away", "mail for postmaster is thrown away"}},
      {"root: ghost\n", {"/etc/aliases:1: mail for root waits", "mail for postmaster waits"}},
      {"root: alice\npostmaster: ghost\n", {"/etc/aliases:2: mail for postmaster waits"}},
  };
  for (const auto& c : cases) {
    House house;
    Tables tables = house.tables(c.aliases);
    Problems problems = check_duty(house.settings, tables, house.sources);
    ASSERT_EQ(problems.size(), c.expected.size()) << c.aliases << (problems.empty() ? "" : problems[0].text());
    for (std::size_t i = 0; i < problems.size(); ++i) {
      EXPECT_NE(problems[i].text().find(c.expected[i]), std::string::npos) << problems[i].text();
      EXPECT_NE(problems[i].next.find("/etc/aliases"), std::string::npos);
    }
  }
  House house;
  house.settings.local_domains.clear();  // a null client: root's mail leaves
  EXPECT_TRUE(check_duty(house.settings, house.tables(""), house.sources).empty());
}

TEST(Address, OrcptEscapes) {
  EXPECT_EQ(make_orcpt("a+b=c@x.example"), "rfc822;a+2Bb+3Dc@x.example");
  EXPECT_EQ(make_orcpt("\"a b\"@x.example"), "rfc822;\"a+20b\"@x.example");
  EXPECT_EQ(make_orcpt("\xc3\xa4@x.example"), "utf-8;\\x{E4}@x.example");
}

TEST(Address, JoinAndSplit) {
  for (const char* address : {"a@b.test", "\"a b\"@b.test", "\"a@c\"@b.test", "\"a\\\"b\"@b.test", "\"\"@b.test"}) {
    Split split = split_address(address);
    EXPECT_EQ(join_address(split.local, split.domain), address);
  }
  EXPECT_EQ(split_address("root").local, "root");
  EXPECT_EQ(split_address("root").domain, "");
}

}  // namespace
}  // namespace sidegate::alias::check_test
