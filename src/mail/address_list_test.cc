#include "mail/address_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::mail::address_list_test {
namespace {

using Strings = std::vector<std::string>;

Strings addresses(std::string_view text) {
  Strings out;
  for (const ListedAddress& one : parse_address_list(text)) out.push_back(one.address);
  return out;
}

struct ListCase {
  const char* text;
  Strings expected;
};

class AddressList : public ::testing::TestWithParam<ListCase> {};

TEST_P(AddressList, Parses) {
  EXPECT_EQ(addresses(GetParam().text), GetParam().expected) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    All, AddressList,
    ::testing::Values(
        ListCase{"a@b.example", {"a@b.example"}},
        ListCase{" a@b.example , c@d.example", {"a@b.example", "c@d.example"}}, ListCase{"root", {"root"}},
        ListCase{"root (Cron Daemon)", {"root"}}, ListCase{"Jo Doe <jo@x.example>", {"jo@x.example"}},
        ListCase{"\"Doe, Jo\" <jo@x.example>", {"jo@x.example"}},
        ListCase{"\"a \\\" , b\" <jo@x.example>", {"jo@x.example"}}, ListCase{"<jo@x.example>", {"jo@x.example"}},
        ListCase{"\"j o\"@x.example", {"\"j o\"@x.example"}}, ListCase{"jo@[192.0.2.1]", {"jo@[192.0.2.1]"}},
        ListCase{"jo@[IPv6:2001:db8::1], b", {"jo@[IPv6:2001:db8::1]", "b"}}, ListCase{"undisclosed-recipients:;", {}},
        ListCase{"Friends: a@x.example, Jo <b@x.example>;, c@x.example", {"a@x.example", "b@x.example", "c@x.example"}},
        ListCase{"a@x.example; b@x.example", {"a@x.example", "b@x.example"}},
        ListCase{"(one (two) \\) three) a@x.example (end", {"a@x.example"}},
        ListCase{"a (c) @ (c) x . example", {"a@x.example"}},
        ListCase{"<@r1.example,@r2.example:a@x.example>", {"a@x.example"}},
        ListCase{"a.b.@docomo.example, ..c@x.example", {"a.b.@docomo.example", "..c@x.example"}},
        ListCase{"=?utf-8?B?5bGx?= <yama@x.example>", {"yama@x.example"}},
        ListCase{"\xe5\xb1\xb1 <yama@x.example>", {"yama@x.example"}},
        ListCase{"\xe5\xb1\xb1@x.example", {"\xe5\xb1\xb1@x.example"}},
        ListCase{"John Doe john@x.example", {"john@x.example"}}, ListCase{"alice bob", {"alice", "bob"}},
        ListCase{"<a@x.example> <b@x.example>", {"a@x.example", "b@x.example"}}, ListCase{"<>", {}}, ListCase{"", {}},
        ListCase{",,,;;", {}}, ListCase{"a@x.example,\r\n\tb@x.example", {"a@x.example", "b@x.example"}},
        ListCase{"user+tag@x.example", {"user+tag@x.example"}},
        ListCase{"host!user%gate@x.example", {"host!user%gate@x.example"}},
        ListCase{"a\\,b@x.example", {"a\\,b@x.example"}}, ListCase{"\"unclosed", {"\"unclosed"}},
        ListCase{"(unclosed", {}}, ListCase{"<unclosed@x.example", {"unclosed@x.example"}},
        ListCase{"Group: inner: a@x.example;", {"a@x.example"}},
        ListCase{"a@x.example (Jo), \"B\" (x) <b@x.example> (y)", {"a@x.example", "b@x.example"}},
        ListCase{"-f@x.example, -oi", {"-f@x.example", "-oi"}}));

TEST(AddressList, NeverQuadratic) {
  std::string deep(200'000, '(');
  EXPECT_TRUE(addresses(deep).empty());
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "\"N, \\\"x\" <u" + std::to_string(i) + "@x.example>,";
  EXPECT_EQ(addresses(many).size(), 20'000u);
}

TEST(Qualified, AddsTheHostOnce) {
  EXPECT_EQ(qualified("root", "h.example"), "root@h.example");
  EXPECT_EQ(qualified("a@x", "h.example"), "a@x");
  EXPECT_EQ(qualified("\"a@b\"", "h.example"), "\"a@b\"@h.example");
  EXPECT_EQ(qualified("\"a@b\"@x", "h.example"), "\"a@b\"@x");
  EXPECT_EQ(qualified("", "h.example"), "");
}

TEST(DisplayName, QuotesAndEncodes) {
  EXPECT_EQ(display_name("Cron Daemon"), "Cron Daemon");
  EXPECT_EQ(display_name("Doe, Jo \"J\""), "\"Doe, Jo \\\"J\\\"\"");
  EXPECT_EQ(display_name("a\r\nBcc: x"), "\"a  Bcc: x\"");
  EXPECT_EQ(display_name("\xe5\xb1\xb1"), "=?utf-8?B?5bGx?=");
  EXPECT_EQ(display_name("\xff"), "=?unknown-8bit?B?/w==?=");
  std::string longer =
      display_name(std::string(30, 'a') + "\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1");
  EXPECT_EQ(longer.find("?= =?"), longer.find(' ') - 2);
}

}  // namespace
}  // namespace sidegate::mail::address_list_test
