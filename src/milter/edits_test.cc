#include "milter/edits.h"

#include <gtest/gtest.h>

namespace sidegate::milter::edits_test {
namespace {

using K = Edit::Kind;

const std::string kOwn = "Received: from c by me;\r\n\tnow\r\n";
const std::string kHeader = "Received: 1\r\nReceived: 2\r\nSubject: a\r\n b\r\nTo: x\r\n";

std::string after(const std::vector<Edit>& edits, bool leading_space = false) {
  Message message{.own = kOwn, .header = kHeader, .from = "a@example.org"};
  apply(edits, leading_space, message);
  return message.own + message.header;
}

TEST(Edits, Header) {
  const std::string kAll = kOwn + kHeader;
  struct {
    const char* what;
    std::vector<Edit> edits;
    std::string expected;
  } rows[] = {
      {"nothing", {}, kAll},
      {"add", {{K::kAddHeader, 0, "X", "1"}}, kAll + "X: 1\r\n"},
      {"insert 0: before ours", {{K::kInsertHeader, 0, "X", "1"}}, "X: 1\r\n" + kAll},
      {"insert 1: after ours", {{K::kInsertHeader, 1, "X", "1"}}, kOwn + "X: 1\r\n" + kHeader},
      {"insert 2",
       {{K::kInsertHeader, 2, "X", "1"}},
       kOwn + "Received: 1\r\nX: 1\r\nReceived: 2\r\nSubject: a\r\n b\r\nTo: x\r\n"},
      {"insert beyond", {{K::kInsertHeader, 99, "X", "1"}}, kAll + "X: 1\r\n"},
      {"two at 1: the later is first",
       {{K::kInsertHeader, 1, "X", "1"}, {K::kInsertHeader, 1, "Y", "2"}},
       kOwn + "Y: 2\r\nX: 1\r\n" + kHeader},
      {"change 1: not ours",
       {{K::kChangeHeader, 1, "received", "n"}},
       kOwn + "received: n\r\nReceived: 2\r\nSubject: a\r\n b\r\nTo: x\r\n"},
      {"change 0 is 1",
       {{K::kChangeHeader, 0, "Received", "n"}},
       kOwn + "Received: n\r\nReceived: 2\r\nSubject: a\r\n b\r\nTo: x\r\n"},
      {"delete 2", {{K::kChangeHeader, 2, "Received", ""}}, kOwn + "Received: 1\r\nSubject: a\r\n b\r\nTo: x\r\n"},
      {"delete what is not there", {{K::kChangeHeader, 3, "Received", ""}}, kAll},
      {"change what is not there", {{K::kChangeHeader, 3, "Received", "n"}}, kAll + "Received: n\r\n"},
      {"delete twice: the second moved up",
       {{K::kChangeHeader, 1, "Received", ""}, {K::kChangeHeader, 1, "Received", ""}},
       kOwn + "Subject: a\r\n b\r\nTo: x\r\n"},
      {"a name is whole", {{K::kChangeHeader, 1, "Subj", "n"}}, kAll + "Subj: n\r\n"},
      {"folded", {{K::kAddHeader, 0, "X", "1\n 2\r\n\t3"}}, kAll + "X: 1\r\n 2\r\n\t3\r\n"},
      {"a field smuggled in", {{K::kAddHeader, 0, "X", "1\nBcc: evil"}}, kAll + "X: 1\r\n\tBcc: evil\r\n"},
      {"an end smuggled in", {{K::kAddHeader, 0, "X", "1\r\n\r\nbody\n\n"}}, kAll + "X: 1\r\n\tbody\r\n"},
      {"a line end alone", {{K::kAddHeader, 0, "X", "\n"}}, kAll + "X: \r\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(after(row.edits), row.expected) << row.what;
}

TEST(Edits, AValueMayKeepItsSpace) {
  EXPECT_EQ(after({{K::kAddHeader, 0, "X", "1"}, {K::kAddHeader, 0, "Y", "  2"}}, true),
            kOwn + kHeader + "X:1\r\nY:  2\r\n");
}

TEST(Edits, OursIsLikeOthersOnceAFieldStandsBeforeIt) {
  Message message{.own = kOwn, .header = kHeader, .from = ""};
  apply({{K::kInsertHeader, 0, "X", "1"}}, false, message);
  EXPECT_EQ(message.own, "");
  apply({{K::kChangeHeader, 1, "Received", ""}}, false, message);
  EXPECT_EQ(message.header, "X: 1\r\n" + kHeader);
}

TEST(Edits, FieldsThatWereNotTouchedKeepTheirOctets) {
  Message message{.own = "", .header = "Odd \t:  x \r\n\t \r\nB:\r\n", .from = ""};
  apply({{K::kAddHeader, 0, "X", "1"}, {K::kChangeHeader, 1, "odd", ""}}, false, message);
  EXPECT_EQ(message.header, "B:\r\nX: 1\r\n");
}

TEST(Edits, Envelope) {
  Message message{.own = "", .header = "", .from = "a@example.org"};
  message.recipients = {{"b@example.org", ""}, {"c@example.org", ""}};
  apply({{K::kAddRecipient, 0, "<d@example.org>", "NOTIFY=NEVER"},
         {K::kAddRecipient, 0, "B@Example.org", ""},
         {K::kDeleteRecipient, 0, "<C@example.org>", ""},
         {K::kDeleteRecipient, 0, "<nobody@example.org>", ""},
         {K::kAddRecipient, 0, "<>", ""},
         {K::kChangeFrom, 0, "<>", ""},
         {K::kQuarantine, 0, "virus", ""}},
        false, message);
  EXPECT_EQ(message.recipients, (std::vector<Recipient>{{"b@example.org", ""}, {"d@example.org", "NOTIFY=NEVER"}}));
  EXPECT_EQ(message.from, "");
  EXPECT_EQ(message.quarantine, "virus");
}

TEST(Edits, WhatTheyChangeIsToldInWords) {
  EXPECT_EQ(what_changes({}, false), "");
  EXPECT_EQ(what_changes({{K::kQuarantine, 0, "x", ""}}, true), "body");
  EXPECT_EQ(what_changes({{K::kDeleteRecipient, 0, "x", ""}, {K::kAddHeader, 0, "X", "1"}, {K::kChangeFrom, 0, "", ""}},
                         false),
            "header, sender, recipients");
}

}  // namespace
}  // namespace sidegate::milter::edits_test
