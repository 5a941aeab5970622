#include "rewrite/address_list.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sidegate::rewrite::address_list_test {
namespace {

// Each address as "address|what its octets are|named".
std::vector<std::string> parsed(std::string_view value) {
  auto list = parse_address_list(value);
  if (!list) return {"unread"};
  std::vector<std::string> out;
  for (const ListedAddress& a : list->addresses) {
    EXPECT_LE(a.mailbox, a.begin);
    EXPECT_LT(a.begin, a.end);
    EXPECT_LE(a.end, a.mailbox_end);
    EXPECT_LE(a.mailbox_end, value.size());
    out.push_back(a.address + "|" + std::string(value.substr(a.begin, a.end - a.begin)) + (a.named ? "|named" : ""));
  }
  return out;
}

TEST(AddressList, Forms) {
  struct {
    const char* value;
    std::vector<std::string> expected;
  } cases[] = {
      {" a@b.example", {"a@b.example|a@b.example"}},
      {" <a@b.example>", {"a@b.example|a@b.example"}},
      {" Ann <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \"Ann, of <x@y>\" <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" root", {"root|root"}},
      {" root (Cron Daemon)", {"root|root|named"}},
      {" \"(Cron Daemon)\" <root>", {"root|root|named"}},
      {" =?utf-8?q?=22Ann=22?= <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" a@b.example, Bob <c@d.example>", {"a@b.example|a@b.example", "c@d.example|c@d.example|named"}},
      {" <a@b.example> Ann", {"a@b.example|a@b.example|named"}},
      {" <a@b.example> \"Ann, B\", c@d.example", {"a@b.example|a@b.example|named", "c@d.example|c@d.example"}},
      {" <a@b.example> c@d.example", {"unread"}},
      {" Ann <a@b.example> Bob <c@d.example>", {"unread"}},
      {" <<a@b.example>>", {"unread"}},
      {" a@b.example; c@d.example", {"a@b.example|a@b.example", "c@d.example|c@d.example"}},
      {" ,, a@b.example ,", {"a@b.example|a@b.example"}},
      {"", {}},
      {" ", {}},
      {" Undisclosed recipients:;", {}},
      {" Team: a@b.example, C <c@d.example>;", {"a@b.example|a@b.example", "c@d.example|c@d.example|named"}},
      {" Ann\r\n <a@b.example>\r\n", {"a@b.example|a@b.example|named"}},
      {" a @ b . example", {"a@b.example|a @ b . example"}},
      {" a@b.example (one (two \\) three) four)", {"a@b.example|a@b.example|named"}},
      {" Pete(A wonderful \\) chap) <pete(his account)@silly.test(his host)>",
       {"pete@silly.test|pete(his account)@silly.test(his host)|named"}},
      {" <@relay.example,@other.example:a@b.example>", {"a@b.example|@relay.example,@other.example:a@b.example"}},
      {" \"a b\"@c.example", {"\"a b\"@c.example|\"a b\"@c.example"}},
      {" \"a\\\"@x\"@c.example", {"\"a\\\"@x\"@c.example|\"a\\\"@x\"@c.example"}},
      {" <a@[192.0.2.1]>", {"a@[192.0.2.1]|a@[192.0.2.1]"}},
      {" a@[IPv6:2001:db8::1]", {"a@[IPv6:2001:db8::1]|a@[IPv6:2001:db8::1]"}},
      {" taro..k.@keitai.example", {"taro..k.@keitai.example|taro..k.@keitai.example"}},
      {" 太郎@例え.example", {"太郎@例え.example|太郎@例え.example"}},
      {" 太郎 <taro@b.example>", {"taro@b.example|taro@b.example|named"}},
      // names that should have been quoted
      {" Yamada, Taro <taro@b.example>", {"taro@b.example|taro@b.example|named"}},
      {" Dr., Yamada, Taro <taro@b.example>", {"taro@b.example|taro@b.example|named"}},
      // and what is no part of a name
      {" root (Cron Daemon), Ann <a@b.example>", {"root|root|named", "a@b.example|a@b.example|named"}},
      {" G: root, Ann <a@b.example>;", {"a@b.example|a@b.example|named"}},
      {" root, G: Ann <a@b.example>;", {"root|root", "a@b.example|a@b.example|named"}},
      {" root; Ann <a@b.example>", {"root|root", "a@b.example|a@b.example|named"}},
      {" Ann <a@b.example>, root, Bob <c@d.example>",
       {"a@b.example|a@b.example|named", "c@d.example|c@d.example|named"}},
      {" The Company, Inc. <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" a.b. [Bug 1] :-) <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" ann@x.example <a@b.example>", {"a@b.example|a@b.example|named"}},
      // raw charsets: the second octets are '<' '(' '"' '\\' '@'
      {" \x1b$B;3ED!<<(\"\x1b(B <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" a@b.example (\x1b$B;)(\"<\x1b(B)", {"a@b.example|a@b.example|named"}},
      {" \"\x1b$BI=\"<(\x1b(J\" <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \"\x83\x5c\x95\x5c\" <a@b.example>", {"a@b.example|a@b.example|named"}},  // Shift_JIS
      {" \xb1\x83\x5c <a@b.example>", {"a@b.example|a@b.example|named"}},          // with a half-width one
      {" \"\xb3\x5c\" <a@b.example>", {"a@b.example|a@b.example|named"}},          // Big5
      {" \xbb\xb3\xc5\xc4 <a@b.example>", {"a@b.example|a@b.example|named"}},      // EUC-JP
      {" Ren\xe9 <a@b.example>", {"a@b.example|a@b.example|named"}},               // Latin-1
      // never closed, never shifted back
      {" <a@b.example", {"a@b.example|a@b.example"}},
      {" Ann <a@b.example \r\n", {"a@b.example|a@b.example|named"}},
      {" Ann <a @ b.example (x) ", {"a@b.example|a @ b.example|named"}},
      {" c@d.example, Ann <root", {"c@d.example|c@d.example", "root|root|named"}},
      {" \x1b$B;3ED <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \x1b$B;3<(\" <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \"\x1b$B;3ED\" <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \x1b$B;3ED\r\n <a@b.example>", {"a@b.example|a@b.example|named"}},
      {" \x1b$B;3ED <a@b.example", {"a@b.example|a@b.example|named"}},
      // no lists of addresses
      {" <a@b.example, c@d.example", {"unread"}},
      {" Ann <a@b.example, Bob <c@d.example>", {"unread"}},
      {" Ann <", {"unread"}},
      {" \x1b$B;3ED", {"unread"}},
      {" <>", {"unread"}},
      {" Ann Smith", {"unread"}},
      {" <a@b.example> <c@d.example>", {"unread"}},
      {" \"Ann <a@b.example>", {"unread"}},
      {" Ann (<a@b.example>", {"unread"}},
      {" @b.example", {"unread"}},
      {" a@", {"unread"}},
      {" a b@c.example", {"unread"}},
      {" a@[192.0.2.1", {"unread"}},
      {" a@b@c.example, Ann Smith", {"unread"}},
      {" a@b.example\x01", {"unread"}},
  };
  for (const auto& c : cases) EXPECT_EQ(parsed(c.value), c.expected) << c.value;
}

TEST(AddressList, Alone) {
  struct {
    const char* value;
    bool alone;
  } cases[] = {
      {" a@b.example", true},
      {" Ann <a@b.example> (p, q; r: s)", true},
      {" Yamada, Taro <a@b.example>", true},
      {" \"Yamada, Taro\" <a@b.example>", true},
      {" (x: y) a@b.example (\x1b$B;,:\x1b(B)", true},
      {" ,a@b.example", true},
      {" a@b.example,", false},
      {" a@b.example;", false},
      {" Team: a@b.example;", false},
      {" a@b.example, c@d.example", false},
      {"", false},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_address_list(c.value)->alone(), c.alone) << c.value;
}

TEST(AddressList, Parts) {
  EXPECT_EQ(local_part("a@b"), "a");
  EXPECT_EQ(domain_part("a@b"), "b");
  EXPECT_EQ(local_part("root"), "root");
  EXPECT_EQ(domain_part("root"), "");
  EXPECT_EQ(local_part("\"a@x\\\"@\"@b"), "\"a@x\\\"@\"");
  EXPECT_EQ(domain_part("\"a@x\\\"@\"@b"), "b");
  EXPECT_EQ(domain_part("a@[IPv6:::1]"), "[IPv6:::1]");
  EXPECT_EQ(unquoted("\"a\\\" b\""), "a\" b");
  EXPECT_EQ(unquoted("a"), "a");
  EXPECT_EQ(quoted_local("a.b"), "a.b");
  EXPECT_EQ(quoted_local("a b\""), "\"a b\\\"\"");
  EXPECT_EQ(quoted_name("a.b"), "\"a.b\"");
  EXPECT_TRUE(same_address("Me@ISP.example", "\"me\"@isp.example"));
  EXPECT_FALSE(same_address("me@isp.example", "me@isp.example.org"));
}

RC_GTEST_PROP(AddressList, WhatIsReplacedIsReadAgain, ()) {
  auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("a", "b@c.example", "<", ">", "(", ")", "\"", ",", ";", ":", " ", "\r\n ", "\\",
                                    "@", "[", "]", "\x1b$B", "\x1b(B", "\x83\x5c", "\xe9", "山", "<x@y.example>"));
  std::string value;
  for (const auto& piece : pieces) value += piece;
  auto list = parse_address_list(value);
  if (!list) return;
  std::size_t behind = 0;
  for (const ListedAddress& a : list->addresses) {
    RC_ASSERT(a.mailbox >= behind && a.mailbox <= a.begin && a.begin < a.end && a.end <= a.mailbox_end);
    RC_ASSERT(a.mailbox_end <= value.size() && !a.address.empty());
    behind = a.mailbox_end;
  }
  bool one = list->addresses.size() == 1 && list->addresses[0].angle;
  if (!one) return;
  const ListedAddress& a = list->addresses[0];
  std::string other = value.substr(0, a.begin) + "me@isp.example" + value.substr(a.end);
  auto again = parse_address_list(other);
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->addresses.size() == 1u);
  RC_ASSERT(again->addresses[0].address == "me@isp.example");
}

}  // namespace
}  // namespace sidegate::rewrite::address_list_test
