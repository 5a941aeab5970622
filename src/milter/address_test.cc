#include "milter/address.h"

#include <gtest/gtest.h>

namespace sidegate::milter::address_test {
namespace {

TEST(Address, IsReadAsPeopleWriteIt) {
  std::pair<const char*, const char*> rows[] = {
      {"inet:127.0.0.1@8891", "inet:127.0.0.1:8891"},
      {"inet:8891@127.0.0.1", "inet:127.0.0.1:8891"},
      {"inet:localhost:11332", "inet:localhost:11332"},
      {"inet6:8891@[::1]", "inet:[::1]:8891"},
      {"inet:[2001:db8::1]:25", "inet:[2001:db8::1]:25"},
      {"INET:rspamd@11332", "inet:rspamd:11332"},
      {"unix:/run/x.sock", "unix:/run/x.sock"},
      {"local:/run/x.sock", "unix:/run/x.sock"},
      {"/run/x.sock", "unix:/run/x.sock"},
  };
  for (auto [text, expected] : rows) {
    auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), expected) << text;
  }
}

TEST(Address, WhatIsNoneIsRefused) {
  for (const char* text : {"", "inet:", "inet:@", "inet:host", "inet:host@0", "inet:host@65536", "inet:host@smtp",
                           "unix:x", "unix:", "127.0.0.1:25", "tcp:host@25", "inet:a b@25", "inet:a@b@25"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
  EXPECT_FALSE(parse_address("unix:/" + std::string(107, 'x')));
}

}  // namespace
}  // namespace sidegate::milter::address_test
