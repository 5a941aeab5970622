#include "milter/packet.h"

#include <gtest/gtest.h>

#include "milter/answer.h"
#include "milter/macros.h"
#include "milter/options.h"

namespace sidegate::milter::packet_test {
namespace {

using namespace std::string_literals;

TEST(Packet, HasItsLengthFirst) {
  EXPECT_EQ(encode(Command::kAbort), "\0\0\0\1A"s);
  EXPECT_EQ(encode(Command::kBody, std::string(kBodyChunk, 'x')).substr(0, 5), "\0\1\0\0B"s);
}

TEST(PacketReader, TakesPacketsHoweverTheyAreCut) {
  std::string wire =
      encode(Packet{'c', ""}) + encode(Packet{'h', "A\0b\0"s}) + encode(Packet{'b', std::string(70'000, 'x')});
  for (std::size_t step : {1UL, 3UL, 7UL, 65'536UL, wire.size()}) {
    PacketReader reader;
    std::vector<Packet> seen;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      reader.push(std::string_view(wire).substr(at, step));
      while (auto packet = reader.next()) seen.push_back(packet->value());
    }
    ASSERT_EQ(seen.size(), 3u) << step;
    EXPECT_EQ(seen[1], (Packet{'h', "A\0b\0"s}));
    EXPECT_EQ(seen[2].data.size(), 70'000u);
    EXPECT_EQ(reader.pending(), 0u);
  }
}

TEST(PacketReader, RefusesLengthsThatNobodyMeans) {
  for (const std::string& wire : {"\0\0\0\0"s, "\xff\xff\xff\xff"s, "HTTP/1.1 400 Bad Request\r\n"s}) {
    PacketReader reader;
    reader.push(wire);
    auto packet = reader.next();
    ASSERT_TRUE(packet);
    EXPECT_FALSE(packet->has_value());
  }
}

TEST(Connect, NamesTheFamily) {
  EXPECT_EQ(encode_connect({"a.example", "192.0.2.1", 0x1234}),
            "\0\0\0\x18"
            "Ca.example\0"
            "4\x12\x34"
            "192.0.2.1\0"s);
  EXPECT_EQ(encode_connect({"", "2001:db8::1", 25}).substr(4),
            "C[2001:db8::1]\0"
            "6\0\x19"
            "2001:db8::1\0"s);
  EXPECT_EQ(encode_connect({"", "/run/x", 7, true}).substr(4),
            "Clocalhost\0"
            "L\0\0/run/x\0"s);
  EXPECT_EQ(encode_connect({"unknown", "", 0}).substr(4), "Cunknown\0U"s);
}

TEST(Header, ValuesAreAsFiltersExpectThem) {
  EXPECT_EQ(encode_header("Subject", " a\r\n b", false).substr(4), "LSubject\0a\n b\0"s);
  EXPECT_EQ(encode_header("Subject", " a\r\n b", true).substr(4), "LSubject\0 a\n b\0"s);
  EXPECT_EQ(encode_header("X", "a\0b"s, true).substr(4), "LX\0ab\0"s);
  EXPECT_EQ(encode_path(Command::kMail, "<a@b.example>", {"SIZE=5", "BODY=8BITMIME"}).substr(4),
            "M<a@b.example>\0SIZE=5\0BODY=8BITMIME\0"s);
}

TEST(Macros, StandInBracesWhereTheyAreLonger) {
  Macros values = {{"i", "4bXq"}, {"auth_authen", "eve"}, {"empty", ""}};
  EXPECT_EQ(encode_macros(Command::kMail, {"i", "auth_authen", "none", "empty"}, values).substr(4),
            "DMi\0"
            "4bXq\0{auth_authen}\0eve\0{empty}\0\0"s);
  EXPECT_EQ(encode_macros(Command::kMail, {"none"}, values), "");
  EXPECT_EQ(parse_macro_names(" j {client_addr},i\n"), (std::vector<std::string>{"j", "client_addr", "i"}));
  EXPECT_TRUE(parse_macro_names("").empty());
}

std::string numbers(std::uint32_t version, std::uint32_t actions, std::uint32_t protocol) {
  std::string data;
  put_u32(data, version);
  put_u32(data, actions);
  put_u32(data, protocol);
  return data;
}

TEST(Options, OfferAllThatVersion6Has) {
  EXPECT_EQ(encode_options({}).substr(4), "O\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"s);
}

TEST(Options, AreAgreedWithinTheOffer) {
  auto agreed = agree({}, numbers(6, 0x11, protocol::kNoBody | 0x10000000));
  ASSERT_TRUE(agreed);
  EXPECT_EQ(agreed->options.protocol, protocol::kNoBody);
  EXPECT_EQ(agreed->macros_at(Stage::kData), default_macros(Stage::kData));
  EXPECT_TRUE(agree({}, numbers(2, 0x3f, 0x7f)));
  EXPECT_FALSE(agree({}, numbers(7, 0, 0)));
  EXPECT_FALSE(agree({}, numbers(1, 0, 0)));
  EXPECT_FALSE(agree({}, numbers(6, 0x200, 0)));
  EXPECT_FALSE(agree({}, "\0\0\0\6"s));
}

TEST(Options, AFilterListsItsOwnMacros) {
  auto agreed = agree({}, numbers(6, 0x100, 0) + "\0\0\0\0j {if_addr}\0\0\0\0\5\0\0\0\0\x63x\0"s);
  ASSERT_TRUE(agreed);
  EXPECT_EQ(agreed->macros_at(Stage::kConnect), (std::vector<std::string>{"j", "if_addr"}));
  EXPECT_TRUE(agreed->macros_at(Stage::kEndOfMessage).empty());
  EXPECT_EQ(agreed->macros_at(Stage::kMail), default_macros(Stage::kMail));
  EXPECT_FALSE(agree({}, numbers(6, 0x100, 0) + "\0\0\0\0j"s));
}

TEST(Answer, VerdictsAreRead) {
  using Kind = Verdict::Kind;
  struct {
    Packet packet;
    Kind kind;
    std::string line;
  } rows[] = {
      {{'c', ""}, Kind::kContinue, ""},
      {{'a', ""}, Kind::kAccept, ""},
      {{'d', ""}, Kind::kDiscard, ""},
      {{'s', ""}, Kind::kSkip, ""},
      {{'p', ""}, Kind::kProgress, ""},
      {{'r', ""}, Kind::kReject, "550 5.7.1 Command rejected"},
      {{'t', ""}, Kind::kTempfail, "451 4.7.1 Service unavailable - try again later"},
      {{'f', ""}, Kind::kTempfail, "451 4.7.1 Service unavailable - try again later"},
      {{'4', ""}, Kind::kShutdown, "421 4.7.0 Server closing connection"},
      {{'y', "554 5.7.1 no 100%% spam\0"s}, Kind::kReply, "554 5.7.1 no 100% spam"},
      {{'y', "421 4.3.2 go\0"s}, Kind::kShutdown, "421 4.3.2 go"},
      {{'y', "450 try later"}, Kind::kReply, "450 try later"},
  };
  for (const auto& row : rows) {
    auto parsed = parse_answer(row.packet);
    ASSERT_TRUE(parsed) << row.packet.code << parsed.error().text;
    EXPECT_FALSE(parsed->is_edit);
    EXPECT_EQ(parsed->verdict.kind, row.kind) << row.packet.code;
    if (!row.line.empty()) EXPECT_EQ(parsed->verdict.reply.line(), row.line);
  }
}

TEST(Answer, SeveralLinesAreOneReply) {
  auto reply = parse_reply_text("550-5.7.1 one\r\n550 5.7.1 two");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->wire(), "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

TEST(Answer, EditsAreRead) {
  struct {
    Packet packet;
    Edit edit;
  } rows[] = {
      {{'h', "X-A\0v\0"s}, {Edit::Kind::kAddHeader, 0, "X-A", "v"}},
      {{'i', "\0\0\0\1X-A\0v\0"s}, {Edit::Kind::kInsertHeader, 1, "X-A", "v"}},
      {{'m', "\0\0\0\2X-A\0\0"s}, {Edit::Kind::kChangeHeader, 2, "X-A", ""}},
      {{'+', "<a@b>\0"s}, {Edit::Kind::kAddRecipient, 0, "<a@b>", ""}},
      {{'2', "<a@b>\0NOTIFY=NEVER\0"s}, {Edit::Kind::kAddRecipient, 0, "<a@b>", "NOTIFY=NEVER"}},
      {{'-', "<a@b>\0"s}, {Edit::Kind::kDeleteRecipient, 0, "<a@b>", ""}},
      {{'e', "<>\0"s}, {Edit::Kind::kChangeFrom, 0, "<>", ""}},
      {{'q', "bad\0"s}, {Edit::Kind::kQuarantine, 0, "bad", ""}},
      {{'b', "x\0y"s}, {Edit::Kind::kReplaceBody, 0, "x\0y"s, ""}},
  };
  for (const auto& row : rows) {
    auto parsed = parse_answer(row.packet);
    ASSERT_TRUE(parsed) << row.packet.code;
    EXPECT_TRUE(parsed->is_edit);
    EXPECT_EQ(parsed->edit, row.edit) << row.packet.code;
  }
}

TEST(Answer, WhatIsMalformedIsRefused) {
  const Packet rows[] = {{'z', ""},
                         {'c', "x"},
                         {'O', ""},
                         {'h', "X-A\0v"s},
                         {'h', "X-A\0"s},
                         {'i', "\0\0X"s},
                         {'h', "X A\0v\0"s},
                         {'h', "\0v\0"s},
                         {'h', "X\r\nEvil\0v\0"s},
                         {'m', "\0\0\0\1A:\0v\0"s},
                         {'y', "250 fine\0"s},
                         {'y', "55\0"s},
                         {'y', "550x\0"s},
                         {'y', "550-a\r\n450 b\0"s},
                         {'y', ""},
                         {'+', ""},
                         {'e', "a\0b\0c\0"s},
                         {'y', "550 a\0 b\0"s}};
  for (const Packet& packet : rows) {
    EXPECT_FALSE(parse_answer(packet)) << packet.code << packet.data;
  }
}

}  // namespace
}  // namespace sidegate::milter::packet_test
