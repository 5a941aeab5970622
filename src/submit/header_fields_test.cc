#include "submit/header_fields.h"

#include <gtest/gtest.h>

namespace sidegate::submit::header_fields_test {
namespace {

using Strings = std::vector<std::string>;
const Author kAlice{"alice", "Alice A."};
const Resent kAgain{"DATE", "<ID>"};

TEST(HeaderFields, RecipientsAsPostfixTakesThem) {
  struct Case {
    const char* block;
    Strings expected;
  };
  const Case cases[] = {
      {"To: a@x\r\nCc: b@x, c\r\nBcc: d@x\r\nSubject: e@x\r\n", {"a@x", "b@x", "c", "d@x"}},
      {"TO: a@x\r\nto: b@x\r\n", {"a@x", "b@x"}},
      {"To: a@x\r\nResent-To: b@x\r\nResent-Bcc: c@x\r\n", {"b@x", "c@x"}},
      {"To: a@x\r\nResent-From: b@x\r\n", {"a@x"}},
      {"To: Jo <a@x>,\r\n \"B, C\" <b@x>\r\n", {"a@x", "b@x"}},
      {"Apparently-To: a@x\r\nReply-To: b@x\r\n", {}},
      {"To: undisclosed-recipients:;\r\nBcc: a@x\r\n", {"a@x"}},
  };
  for (const Case& c : cases) EXPECT_EQ(header_recipients(c.block), c.expected) << c.block;
}

TEST(HeaderFields, Edited) {
  struct Case {
    const char* block;
    const char* expected;
  };
  const Case cases[] = {
      {"From: b@x\r\nBcc: c@x\r\nTo: d@x\r\n", "From: b@x\r\nTo: d@x\r\n"},
      {"bcc: c@x,\r\n d@x\r\nFrom: b@x\r\n", "From: b@x\r\n"},
      {"From: b@x\r\nReturn-Path: <x@x>\r\nContent-Length: 3\r\n", "From: b@x\r\n"},
      {"To: d@x\r\n", "To: d@x\r\nFrom: \"Alice A.\" <alice>\r\n"},
      {"", "From: \"Alice A.\" <alice>\r\n"},
      {"From: b@x\r\nResent-To: c@x\r\nResent-Bcc: e@x\r\n",
       "Resent-From: \"Alice A.\" <alice>\r\nResent-Date: DATE\r\nResent-Message-ID: <ID>\r\nFrom: b@x\r\nResent-To: "
       "c@x\r\n"},
      {"Resent-From: q@x\r\nResent-Date: D\r\nResent-Message-Id: <Q>\r\nFrom: b@x\r\n",
       "Resent-From: q@x\r\nResent-Date: D\r\nResent-Message-Id: <Q>\r\nFrom: b@x\r\n"},
  };
  for (const Case& c : cases) EXPECT_EQ(edited_header(c.block, kAlice, kAgain), c.expected) << c.block;
  EXPECT_EQ(edited_header("", {"", ""}, kAgain), "From: Mail Delivery System <MAILER-DAEMON>\r\n");
  EXPECT_EQ(edited_header("", {"root", ""}, kAgain), "From: root\r\n");
  EXPECT_EQ(edited_header("", {"root", "CronDaemon"}, kAgain), "From: CronDaemon <root>\r\n");
}

TEST(HeaderFields, Author) {
  EXPECT_TRUE(needs_author("To: a@x\r\n"));
  EXPECT_FALSE(needs_author("From: a@x\r\n"));
  EXPECT_TRUE(needs_author("From: a@x\r\nResent-To: b@x\r\n"));
}

}  // namespace
}  // namespace sidegate::submit::header_fields_test
