#include "dns/message.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sidegate::dns::message_test {
namespace {

using namespace std::string_literals;
constexpr auto kA = RecordType::kA;

std::string question(std::string_view name, RecordType type = kA) {
  return make_question(0x1234, name, type).value();
}

// The answer's header and question, as a server sends them.
std::string head(std::string_view name, unsigned flags, unsigned count) {
  std::string out = question(name);
  out[2] = static_cast<char>(flags >> 8);
  out[3] = static_cast<char>(flags);
  out[7] = static_cast<char>(count);
  return out;
}
const std::string kRecordA = "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"s;

TEST(Question, Form) {
  EXPECT_EQ(question("a.bc"), "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\2bc\0\0\1\0\1"s);
  EXPECT_TRUE(make_question(1, ".", kA));  // the root
  for (std::string bad : {""s, "a..b"s, "a."s, std::string(64, 'x'), std::string(300, 'x')})
    EXPECT_FALSE(make_question(1, bad, kA));
}

TEST(Answer, Forms) {
  auto found = read_answer(head("A.bc", 0x8180, 1) + kRecordA, 0x1234, "a.BC", kA);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->verdict, Verdict::kFound);
  EXPECT_EQ(found->list, std::vector<std::string>{"192.0.2.1"});
  EXPECT_EQ(found->ttl, 60u);

  EXPECT_EQ(read_answer(head("a.bc", 0x8183, 0), 0x1234, "a.bc", kA)->verdict, Verdict::kNoName);
  EXPECT_EQ(read_answer(head("a.bc", 0x8180, 0), 0x1234, "a.bc", kA)->verdict, Verdict::kNoData);
  EXPECT_EQ(read_answer(head("a.bc", 0x8182, 0), 0x1234, "a.bc", kA)->why, "SERVFAIL");
  EXPECT_EQ(read_answer("\x12\x34\x81\x81\0\0\0\0\0\0\0\0"s, 0x1234, "a.bc", kA)->verdict, Verdict::kFailed);
  // Truncated: what is there counts.
  EXPECT_EQ(read_answer(head("a.bc", 0x8380, 2) + kRecordA + kRecordA.substr(0, 9), 0x1234, "a.bc", kA)->list.size(),
            1u);
  EXPECT_EQ(read_answer(head("a.bc", 0x8380, 0), 0x1234, "a.bc", kA)->verdict, Verdict::kFailed);
  EXPECT_EQ(read_answer(head("a.bc", 0x8180, 1) + kRecordA.substr(0, 9), 0x1234, "a.bc", kA)->verdict,
            Verdict::kFailed);
}

TEST(Answer, NotMine) {
  std::string good = head("a.bc", 0x8180, 1) + kRecordA;
  EXPECT_FALSE(read_answer(good, 0x1235, "a.bc", kA));
  EXPECT_FALSE(read_answer(good, 0x1234, "a.bd", kA));
  EXPECT_FALSE(read_answer(good, 0x1234, "a.bc", RecordType::kAaaa));
  EXPECT_FALSE(read_answer(head("a.bc", 0x0180, 1) + kRecordA, 0x1234, "a.bc", kA));   // a question
  EXPECT_FALSE(read_answer("\x12\x34\x81\x83\0\0\0\0\0\0\0\0"s, 0x1234, "a.bc", kA));  // NXDOMAIN of what?
  EXPECT_FALSE(read_answer("", 0x1234, "a.bc", kA));
}

TEST(Answer, AliasesInAnyOrderAndLoops) {
  std::string to_d = "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\3\1d\0"s, d = "\1d\0\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\2"s;
  for (const std::string& records : {to_d + d, d + to_d}) {
    auto answer = read_answer(head("a.bc", 0x8180, 2) + records, 0x1234, "a.bc", kA);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->list, std::vector<std::string>{"192.0.2.2"});
    EXPECT_EQ(answer->ttl, 10u);
  }
  std::string to_self = "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\2\xc0\x0c"s;
  EXPECT_EQ(read_answer(head("a.bc", 0x8180, 1) + to_self, 0x1234, "a.bc", kA)->verdict, Verdict::kNoData);
  // An address of somebody else is none.
  EXPECT_EQ(read_answer(head("a.bc", 0x8180, 1) + d, 0x1234, "a.bc", kA)->verdict, Verdict::kNoData);
  // A pointer to itself, and one forward.
  for (const std::string& owner : {"\xc0\x16"s, "\xc0\x30"s})
    EXPECT_EQ(read_answer(head("a.bc", 0x8180, 1) + owner + kRecordA.substr(2), 0x1234, "a.bc", kA)->verdict,
              Verdict::kFailed);
}

TEST(Answer, AnyOctetsAfterAGoodStart) {
  auto octet = rc::gen::element<char>('\0', '\1', '\2', '\3', '\5', 'a', '\x0c', '\xc0', '\x1c', '\xff', '\x3c');
  rc::check("whatever follows, it is read within its bounds", [&] {
    auto rest = *rc::gen::container<std::string>(octet);
    auto answer = read_answer(head("a.bc", 0x8180, 5) + rest, 0x1234, "a.bc", kA);
    RC_ASSERT(answer.has_value());
    RC_ASSERT((answer->verdict == Verdict::kFound) == !answer->list.empty());
  });
}

TEST(RecordText, OfEachType) {
  using enum RecordType;
  struct {
    RecordType type;
    std::string data;
    const char* text;  // nullptr: malformed
  } cases[] = {
      {kA, "\xc0\0\2\1"s, "192.0.2.1"},
      {kA, "\xc0\0\2"s, nullptr},
      {kPtr, "\2Mx\7example\0"s, "mx.example"},
      {kPtr, "\0"s, "."},
      {kPtr, "\2mx\7example"s, nullptr},
      {kPtr, "\2mx\0\0"s, nullptr},
      {kMx, "\0\x0a\2mx\0"s, "10 mx"},
      {kMx, "\0\0\0"s, "0 ."},  // RFC 7505
      {kMx, "\0"s, nullptr},
      {kSrv, "\0\1\0\2\1\xd1\4smtp\0"s, "1 2 465 smtp"},  // RFC 2782
      {kSrv, "\0\0\0\0\0\0\0"s, "0 0 0 ."},
      {kSrv, "\0\1\0\2\1"s, nullptr},
      {kTxt, "\5hello\6 world"s, "hello world"},
      {kTxt, "\0"s, ""},
      {kTxt, "\6hello"s, nullptr},
  };
  for (const auto& c : cases) {
    auto text = record_text(c.type, c.data);
    EXPECT_EQ(text.has_value(), c.text != nullptr) << testing::PrintToString(c.data);
    if (text && c.text) EXPECT_EQ(*text, c.text);
  }
}

// RFC 2317: the reverse zone of a small network stands elsewhere, behind a CNAME; names in it point back into the
// message.
TEST(Answer, APointerByAnAlias) {
  std::string alias = "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\1d\0"s, ptr = "\1d\0\0\x0c\0\1\0\0\0\x3c\0\5\2mx\xc0\x0e"s;
  auto answer =
      read_answer(head("a.bc", 0x8180, 2).replace(18, 2, "\0\x0c"s) + alias + ptr, 0x1234, "a.bc", RecordType::kPtr);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->list, std::vector<std::string>{"mx.bc"});
}

}  // namespace
}  // namespace sidegate::dns::message_test
