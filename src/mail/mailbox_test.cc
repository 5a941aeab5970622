#include "mail/mailbox.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/text.h"

namespace sidegate::mail::mailbox_test {
namespace {

std::string times(std::size_t n, std::string_view text) {
  std::string out;
  while (n-- > 0) out += text;
  return out;
}

TEST(Mailbox, Taken) {
  struct Case {
    std::string text, local, domain;
  } cases[] = {
      {"a@b", "a", "b"},
      {"Jane.Doe@Example.ORG", "Jane.Doe", "Example.ORG"},
      {"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~", "example.org"},
      // Old Japanese mobile addresses.
      {"taro..k@docomo.example", "taro..k", "docomo.example"},
      {"taro.@docomo.example", "taro.", "docomo.example"},
      {".taro@docomo.example", ".taro", "docomo.example"},
      {"-@example.org", "-", "example.org"},
      // Percent and bang mean nothing here.
      {"user%far.example@example.org", "user%far.example", "example.org"},
      {"far.example!user@example.org", "far.example!user", "example.org"},
      {"\"\"@example.org", "\"\"", "example.org"},
      {"\"a b\"@example.org", "\"a b\"", "example.org"},
      {"\"a@b\"@example.org", "\"a@b\"", "example.org"},
      {"\"a\\\"b\\\\c\"@example.org", "\"a\\\"b\\\\c\"", "example.org"},
      {"\"<>,:;()[]\"@example.org", "\"<>,:;()[]\"", "example.org"},
      {"a@[192.0.2.1]", "a", "[192.0.2.1]"},
      {"a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"},
      {"a@[ipv6:::ffff:192.0.2.1]", "a", "[ipv6:::ffff:192.0.2.1]"},
      {"a@[IPv6:1:2:3:4:5:6:7:8]", "a", "[IPv6:1:2:3:4:5:6:7:8]"},
      {"a@[x-tag:some/thing]", "a", "[x-tag:some/thing]"},
      {"root@my_container", "root", "my_container"},
      {"a@_dmarc.example.org", "a", "_dmarc.example.org"},
      {"a@1.2.3", "a", "1.2.3"},
      {"a@xn--bcher-kva.example", "a", "xn--bcher-kva.example"},
      {"a@a--b.example", "a", "a--b.example"},
      {times(64, "x") + "@example.org", times(64, "x"), "example.org"},
      {"a@" + times(63, "x") + ".org", "a", times(63, "x") + ".org"},
      {"a@" + times(127, "x.") + "x", "a", times(127, "x.") + "x"},
      {"postmaster", "postmaster", ""},
      {"PostMaster", "PostMaster", ""},
  };
  for (const auto& c : cases) {
    auto mailbox = Mailbox::parse(c.text, false);
    ASSERT_TRUE(mailbox) << c.text << ": " << mailbox.error().text;
    EXPECT_EQ(mailbox->local(), c.local);
    EXPECT_EQ(mailbox->domain(), c.domain);
    EXPECT_EQ(mailbox->text(), c.text);
    EXPECT_FALSE(mailbox->needs_utf8());
    EXPECT_TRUE(is_mailbox(c.text, false));
  }
}

TEST(Mailbox, Refused) {
  std::string cases[] = {
      "", "@", "a", "a@", "@b", "a@b@c", "a b@c", " a@b", "a@b ", "a@b c", "<a@b>", "a@b>", "a,b@c", "a:b@c", "a;b@c",
      "a(b)@c", "a@b(c)", "a[b@c", "a\\b@c", "a\\@b@c", ".@example.org", "...@example.org",
      // Controls, NUL, DEL, line ends: nowhere, not even quoted.
      "a\r\nDATA@b", "a\n@b", "a@b\r\n", "a@b\n", std::string("a\0@b", 4), std::string("a@b\0", 4), "a\x7f@b", "a\t@b",
      "\"a\tb\"@c", "\"a\r\nb\"@c", "\"a\\\rb\"@c", std::string("\"\\\0\"@c", 6), "\"a\x7f\"@c", "a@b\x01",
      // Quotes.
      "\"a@b", "\"a\\\"@b", "\"a\"b@c", "a\"b\"@c", "\"a\".b@c", "\"a\\", "\"",
      // Domains.
      "a@.b", "a@b.", "a@b..c", "a@-b", "a@b-", "a@b-.c", "a@b.-c", "a@b!c", "a@b/c", "a@" + times(64, "x") + ".org",
      "a@" + times(128, "x.") + "x", times(65, "x") + "@example.org", "\"" + times(63, "x") + "\"@example.org",
      // Literals.
      "a@[]", "a@[192.0.2.1", "a@192.0.2.1]", "a@[192.0.2]", "a@[192.0.2.256]", "a@[192.0.2.1.5]", "a@[192.0.2.01x]",
      "a@[2001:db8::1", "a@[IPv6:]", "a@[IPv6:2001:db8::1::2]", "a@[IPv6:192.0.2.1]", "a@[IPv6:12345::]",
      "a@[IPv6:::1%eth0]", "a@[tag:]", "a@[tag:x)(]", "a@[tag:x>y]", "a@[2001:db8::1]", "a@[:x]", "a@[tag-:x]",
      "a@[tag:a b]", "a@[tag:a[b]", "a@[tag:a\\]]", "a@[192.0.2.1]x", "a@x[192.0.2.1]",
      std::string("a@[192.0.2.1\0]", 14),
      // UTF-8 was not asked for.
      "j\xc3\xb6rg@example.org", "a@ex\xc3\xa4mple.org", "\"\xc3\xb6\"@example.org", "webmaster", "post master",
      "postmaster@"};
  for (const auto& text : cases) {
    auto mailbox = Mailbox::parse(text, false);
    EXPECT_FALSE(mailbox) << printable(text);
    EXPECT_FALSE(is_mailbox(text, false)) << printable(text);
    if (!mailbox) EXPECT_EQ(mailbox.error().kind, ErrorKind::kBadInput);
  }
}

TEST(Mailbox, ReturnAddressesMayBeLong) {
  EXPECT_TRUE(Mailbox::parse("SRS0=abcd=TT=" + times(80, "x") + "=" + times(64, "y") + "@example.org", false));
  EXPECT_TRUE(Mailbox::parse("\"srs1=abcd=" + times(80, "x") + "==a b\"@example.org", false));
  EXPECT_FALSE(Mailbox::parse("SRS0=" + times(400, "x") + "@example.org", false));
  EXPECT_FALSE(Mailbox::parse("SRS2=" + times(80, "x") + "@example.org", false));
}

TEST(Mailbox, Utf8) {
  std::string good[] = {"j\xc3\xb6rg@ex\xc3\xa4mple.org",
                        "\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.\xe5\xb9\xbf\xe5\x91\x8a",
                        "\"\xc3\xb6 \xc3\xa4\"@a", "a@b", times(32, "\xc3\xb6") + "@a"};
  std::string bad[] = {"\xc3@a",
                       "a@\xff",
                       "\xed\xa0\x80@a",
                       "a\xc2\x85@b",
                       "a@b\xc2\x9b"
                       "c",
                       "\"\xc2\x80\"@b",
                       "\"\\\xc3\xb6\"@b",
                       "\xc0\x80@b",
                       times(32, "\xc3\xb6") + "x@a"};
  for (const auto& text : good) {
    auto mailbox = Mailbox::parse(text, true);
    ASSERT_TRUE(mailbox) << text;
    EXPECT_EQ(mailbox->text(), text);
    EXPECT_EQ(mailbox->needs_utf8(), !is_ascii(text));
  }
  for (const auto& text : bad) EXPECT_FALSE(Mailbox::parse(text, true)) << printable(text);
}

TEST(Mailbox, DomainKey) {
  EXPECT_EQ(Mailbox::parse("A@ExAmPle.ORG", false)->domain_key(), "example.org");
  EXPECT_TRUE(Mailbox::parse("A@[192.0.2.1]", false)->has_literal());
  EXPECT_FALSE(Mailbox::parse("A@b", false)->has_literal());
}

TEST(Path, Taken) {
  struct Case {
    std::string text, mailbox, rest;
  } cases[] = {
      {"<a@b>", "a@b", ""},
      {"<a@b> SIZE=10", "a@b", " SIZE=10"},
      {"<>", "", ""},
      {"<> BODY=8BITMIME", "", " BODY=8BITMIME"},
      {"<Postmaster>", "Postmaster", ""},
      {"<\"a>b\"@c>x", "\"a>b\"@c", "x"},
      {"<a@[x:y/z]>", "a@[x:y/z]", ""},
      {"<@one.example:a@b>", "a@b", ""},
      {"<@one.example,@two.example:a@b> X", "a@b", " X"},
      {"<@[192.0.2.1]:a@b>", "a@b", ""},
      {"<@one.example:postmaster>", "postmaster", ""},
      {"<root>", "root", ""},
      {"<\"a b\"> X", "\"a b\"", " X"},
  };
  for (const auto& c : cases) {
    auto path = parse_path(c.text, false);
    ASSERT_TRUE(path) << c.text << ": " << path.error().text;
    EXPECT_EQ(path->mailbox.text(), c.mailbox);
    EXPECT_EQ(path->is_null, c.mailbox.empty());
    EXPECT_EQ(c.text.substr(path->length), c.rest);
  }
}

TEST(Path, Refused) {
  for (std::string text : {"",
                           "<",
                           "a@b",
                           "<a@b",
                           " <a@b>",
                           "< a@b>",
                           "<a@b >",
                           "<a@b@c>",
                           "<<a@b>>",
                           "<@>",
                           "<@one.example>",
                           "<@one.example:>",
                           "<@one.example a@b>",
                           "<@one.example,:a@b>",
                           "<@one.example,two.example:a@b>",
                           "<@one.example,@two.example>",
                           "<@:a@b>",
                           "<,@one:a@b>",
                           "<\"a>",
                           "<a@b\r\n>",
                           "<@a\r\n:b@c>",
                           "<a@b,c@d>"}) {
    EXPECT_FALSE(parse_path(text, false)) << printable(text);
  }
  EXPECT_FALSE(parse_path("<a@" + times(64, "x") + ".org>", true));               // room for U-labels alone
  EXPECT_FALSE(parse_path("<" + times(2000, "@a.example,") + "@b:c@d>", false));  // an endless route
}

TEST(Mailbox, WhatIsTakenHoldsNoControls) {
  auto octet = rc::gen::element<char>('a', 'B', '.', '@', '"', '\\', '[', ']', ':', '<', '>', ',', ' ', '\r', '\n',
                                      '\0', '\t', '-', '1', '\xc3', '\xb6', '\x7f', '_');
  rc::check("a mailbox holds no controls and comes back", [&] {
    auto text = *rc::gen::container<std::string>(octet);
    bool utf8 = *rc::gen::arbitrary<bool>();
    auto mailbox = Mailbox::parse(text, utf8);
    RC_ASSERT(mailbox.has_value() == is_mailbox(text, utf8));
    if (mailbox) {
      RC_ASSERT(mailbox->text() == text);
      for (char c : text) RC_ASSERT(!is_control(c));
    }
    auto path = parse_path("<" + text + ">", utf8);
    if (mailbox) RC_ASSERT(path && path->mailbox == *mailbox && path->length == text.size() + 2);
  });
}

TEST(HeloName, TakenAndRefused) {
  for (std::string text : {"host.example", "localhost", "WIN_PC-1", "[192.0.2.1]", "[IPv6:2001:db8::1]",
                           "[2001:db8::1]", "[::1]", "1host", "a"})
    EXPECT_TRUE(is_helo_name(text)) << text;
  for (std::string text : {"", " ", "host name", "host.", ".host", "[192.0.2]", "[2001:db8::1", "[x:)(]", "[]", "[]]",
                           "192.0.2.1]", "ho(st)", "h\r\nx", "host\xc3\xb6", "-"})
    EXPECT_FALSE(is_helo_name(text)) << printable(text);
  EXPECT_TRUE(is_domain("ex\xc3\xa4mple.org", true));
  EXPECT_FALSE(is_domain("ex\xc3\xa4mple.org", false));
  EXPECT_FALSE(is_domain("[192.0.2.1]", false));
}

}  // namespace
}  // namespace sidegate::mail::mailbox_test
