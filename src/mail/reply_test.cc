#include "mail/reply.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/text.h"

namespace sidegate::mail::reply_test {
namespace {

Result<Reply> read(const std::vector<std::string>& lines) {
  ReplyParser parser;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto step = parser.push(lines[i]);
    if (!step) return std::unexpected(step.error());
    bool last = *step == ReplyParser::Step::kDone;
    if (last != (i + 1 == lines.size())) return fail(ErrorKind::kConflict, "ends elsewhere");
  }
  return parser.take();
}

TEST(EnhancedCode, Parse) {
  for (std::string_view good : {"2.0.0", "4.7.1", "5.1.10", "5.999.999", "2.10.0"}) {
    auto code = EnhancedCode::parse(good);
    ASSERT_TRUE(code) << good;
    EXPECT_EQ(code->text(), good);
  }
  for (std::string_view bad :
       {"",       "5",        "5.",       "5.1",    "5.1.",   "5.1.1.", "5.1.1 ", " 5.1.1",  "3.1.1", "1.1.1", "6.1.1",
        "55.1.1", "5.1000.1", "5.1.1000", "5.01.1", "5.1.00", "5..1",   "5.a.1",  "5.1.1.1", "5,1,1", "5.-1.1"}) {
    EXPECT_FALSE(EnhancedCode::parse(bad)) << bad;
  }
}

TEST(ReplyParser, Taken) {
  struct Case {
    std::vector<std::string> lines;
    std::string line;
    bool status;
  } cases[] = {
      {{"250 ok"}, "250 ok", false},
      {{"250"}, "250", false},
      {{"250 "}, "250", false},
      {{"250 2.0.0 queued"}, "250 2.0.0 queued", true},
      {{"250 2.0.0"}, "250 2.0.0", true},
      {{"250 2.0.0 "}, "250 2.0.0", true},
      {{"550 5.1.1 no such user"}, "550 5.1.1 no such user", true},
      {{"550 4.1.1 wrong class"}, "550 4.1.1 wrong class", false},
      {{"354 2.0.0 go on"}, "354 2.0.0 go on", false},
      {{"220 2.0.0.1 name"}, "220 2.0.0.1 name", false},
      {{"571 5.7.1 old code"}, "571 5.7.1 old code", true},
      {{"550-5.7.1 one", "550 5.7.1 two"}, "550 5.7.1 one two", true},
      {{"550-5.7.1 one", "550 two"}, "550 5.7.1 one two", true},
      {{"550-one", "550 5.7.1 two"}, "550 5.7.1 one two", true},
      {{"550-5.7.1 one", "550 5.7.2 two"}, "550 5.7.1 one 5.7.2 two", true},
      {{"250-host", "250-8BITMIME", "250 SIZE 1"}, "250 host 8BITMIME SIZE 1", false},
      {{"250-", "250"}, "250  ", false},
      {{"450 a\r\nb\x01"}, "450 a??b?", false},
  };
  for (const auto& c : cases) {
    auto reply = read(c.lines);
    ASSERT_TRUE(reply) << c.lines[0] << ": " << reply.error().text;
    EXPECT_EQ(reply->line(), c.line == "250  " ? "250  " : c.line);
    EXPECT_EQ(reply->status.has_value(), c.status) << c.lines[0];
    EXPECT_EQ(reply->lines.size(), c.lines.size());
  }
}

TEST(ReplyParser, Malformed) {
  std::vector<std::string> cases[] = {
      {""},
      {"2"},
      {"25"},
      {"2500"},
      {"250ok"},
      {"250_ok"},
      {" 250 ok"},
      {"150 x"},
      {"650 x"},
      {"050 x"},
      {"2x0 ok"},
      {"abc"},
      {"250\tok"},
      {std::string("\0"
                   "250 ok",
                   7)},
      {"250-a", "251 b"},
      {"250-a", "b"},
      {"250-a", ""},
      {"550-5.1.1 a", "450 b"},
      {"HTTP/1.1 400 Bad Request"},
  };
  for (const auto& lines : cases) {
    auto reply = read(lines);
    ASSERT_FALSE(reply) << lines[0];
    EXPECT_EQ(reply.error().kind, ErrorKind::kProtocol);
  }
}

TEST(ReplyParser, IsBounded) {
  std::vector<std::string> lines(100, "250-x");
  lines.back() = "250 x";
  EXPECT_TRUE(read(lines));
  lines.insert(lines.begin(), "250-x");
  EXPECT_FALSE(read(lines));
  EXPECT_TRUE(read({"250 " + std::string(65'000, 'x')}));
  EXPECT_FALSE(read({"250-" + std::string(40'000, 'x'), "250 " + std::string(40'000, 'x')}));
}

TEST(ReplyParser, IsFreshAfterTakeAndAfterAnError) {
  ReplyParser parser;
  EXPECT_TRUE(parser.push("550-5.1.1 a"));
  EXPECT_FALSE(parser.push("250 b"));
  EXPECT_EQ(parser.push("250 c").value(), ReplyParser::Step::kDone);
  EXPECT_EQ(parser.take().line(), "250 c");
  EXPECT_TRUE(parser.push("450 d"));
  EXPECT_EQ(parser.take().line(), "450 d");
}

TEST(Reply, Wire) {
  EXPECT_EQ(Reply(250, "ok").wire(), "250 ok\r\n");
  EXPECT_EQ(Reply(250, "").wire(), "250 \r\n");
  EXPECT_EQ(Reply().wire(), "000 \r\n");
  EXPECT_EQ(Reply(550, EnhancedCode{5, 1, 1}, "no").wire(), "550 5.1.1 no\r\n");
  EXPECT_EQ(Reply(250, EnhancedCode{2, 0, 0}, "").wire(), "250 2.0.0\r\n");
  Reply two(250, "one");
  two.lines.push_back("two");
  EXPECT_EQ(two.wire(), "250-one\r\n250 two\r\n");
  two.status = EnhancedCode{2, 1, 5};
  EXPECT_EQ(two.wire(), "250-2.1.5 one\r\n250 2.1.5 two\r\n");
  EXPECT_EQ(Reply(550, "a\r\n250 fooled").wire(), "550 a??250 fooled\r\n");
  // RFC 5321 section 4.5.3.1.5: 512 octets with CRLF.
  EXPECT_EQ(Reply(550, std::string(2000, 'x')).wire().size(), 512u);
  std::string longer = Reply(550, std::string(505, 'x') + "\xc3\xb6").wire();
  EXPECT_EQ(longer.size(), 511u);
  EXPECT_TRUE(is_utf8(longer));
}

TEST(Reply, Property) {
  rc::check("a reply's wire form never injects and reads back", [](const std::vector<std::string>& texts) {
    Reply reply;
    reply.code = *rc::gen::inRange(200, 600);
    reply.lines = texts;
    int cls = reply.code / 100;
    if (cls != 3)
      reply.status = EnhancedCode{static_cast<std::uint16_t>(cls), *rc::gen::inRange<std::uint16_t>(0, 1000),
                                  *rc::gen::inRange<std::uint16_t>(0, 1000)};
    std::string wire = reply.wire();
    RC_ASSERT(wire.ends_with("\r\n"));
    auto lines = split(wire, '\n');
    lines.pop_back();
    RC_ASSERT(lines.size() == std::max<std::size_t>(1, texts.size()));
    ReplyParser parser;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      RC_ASSERT(lines[i].size() <= 511u);
      auto step = parser.push(lines[i].substr(0, lines[i].size() - 1));
      if (i >= 100) return;
      RC_ASSERT(step.has_value());
      RC_ASSERT((*step == ReplyParser::Step::kDone) == (i + 1 == lines.size()));
    }
    Reply back = parser.take();
    RC_ASSERT(back.code == reply.code);
    if (reply.status) RC_ASSERT(back.status == reply.status);
  });
}

}  // namespace
}  // namespace sidegate::mail::reply_test
