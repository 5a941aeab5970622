#include "queue/codec.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/octets.h"
#include "queue/crc32c.h"
#include "queue/families.h"
#include "queue/test_stores.h"

namespace sidegate::queue::codec_test {
namespace {

TEST(Crc32c, KnownValues) {  // RFC 3720 appendix B.4
  std::string up;
  for (int i = 0; i < 32; ++i) up.push_back(static_cast<char>(i));
  struct Case {
    std::string bytes;
    std::uint32_t expected;
  };
  for (const auto& [bytes, expected] :
       {Case{"", 0}, Case{std::string(32, '\0'), 0x8A9136AA}, Case{std::string(32, '\xff'), 0x62A8AB43},
        Case{up, 0x46DD794E}, Case{"123456789", 0xE3069283}}) {
    EXPECT_EQ(crc32c(0, bytes), expected);
    EXPECT_EQ(crc32c_by_table(0, bytes), expected);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      EXPECT_EQ(crc32c(crc32c(0, bytes.substr(0, cut)), bytes.substr(cut)), expected);
    }
  }
}

TEST(Codec, KeysSortLikeNumbers) {
  EXPECT_LT(id_key(QueueId{255}), id_key(QueueId{256}));
  EXPECT_LT(body_key(QueueId{1}, 0, 255), body_key(QueueId{1}, 0, 256));
  EXPECT_LT(body_key(QueueId{1}, 0, 999), body_key(QueueId{1}, 1, 0));
  EXPECT_LT(attempt_key(QueueId{1}, 255), attempt_key(QueueId{1}, 256));
  EXPECT_EQ(id_of_key(pair_key(QueueId{77}, 5)), QueueId{77});
  EXPECT_EQ(second_of_key(pair_key(QueueId{77}, 5)), 5u);
  EXPECT_EQ(chunk_of_key(body_key(QueueId{77}, 5, 6)), 6u);
  EXPECT_EQ(id_of_key("short"), QueueId{});
}

Message full_message() {
  Message m = *sample({.id = 9, .to = {"a@x", "b@y", "c@z"}, .own_classes = true}).message;
  m.envelope.recipients[1].notify = {.never = true};
  m.envelope.recipients[2].notify = {.success = true, .failure = true, .delay = true};
  m.envelope.recipients[1].forwarded = true;
  m.envelope.recipients[1].return_path = "owner-list@home.example";
  m.envelope.recipients[2].destination = mail::Destination::kPipe;
  m.envelope.recipients[2].target = "/usr/bin/prog \"a b\"";
  m.envelope.recipients[2].as_user = "taro";
  m.envelope.recipients[2].original = "robot@home.example";
  m.envelope.body = mail::BodyType::k8bitMime;
  m.envelope.ret = mail::Ret::kFull;
  m.envelope.envid = "xyz+2B";
  m.envelope.smtputf8 = true;
  m.header_size = 1ull << 40;
  m.generation = 3;
  m.chunks = 17;
  m.eight_bit_header = m.eight_bit_body = m.is_report = true;
  m.longest_line = 998;
  m.body_hash_relaxed[31] = 0xff;
  m.submitted = true;
  return m;
}

void expect_same(const Message& a, const Message& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.envelope, b.envelope);
  EXPECT_EQ(a.origin, b.origin);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(std::tie(a.header_size, a.body_size, a.generation, a.chunks, a.longest_line, a.message_id),
            std::tie(b.header_size, b.body_size, b.generation, b.chunks, b.longest_line, b.message_id));
  EXPECT_EQ(std::tie(a.eight_bit_header, a.eight_bit_body, a.is_report),
            std::tie(b.eight_bit_header, b.eight_bit_body, b.is_report));
  EXPECT_EQ(a.body_hash_simple, b.body_hash_simple);
  EXPECT_EQ(a.body_hash_relaxed, b.body_hash_relaxed);
  EXPECT_EQ(a.submitted, b.submitted);
}

TEST(Codec, MessageComesBackWhole) {
  for (const Message& m : {full_message(), *sample({.id = 1, .from = "", .to = {}}).message}) {
    std::string key = id_key(m.id);
    auto back = decode_message(key, encode(key, m, m.chunks));
    ASSERT_TRUE(back) << back.error().text;
    expect_same(*back, m);
  }
}

TEST(Codec, OutcomeRowsComeBack) {
  rc::check("due", [](std::uint64_t id, std::uint32_t c, std::int64_t due, std::uint16_t attempts,
                      std::uint8_t priority, bool held) {
    DueRow row{QueueId{id}, c, WallTime(Duration(due)), attempts, priority, held, 0};
    std::string key = pair_key(row.id, c);
    auto back = decode_due(key, encode(key, row));
    RC_ASSERT(back.has_value());
    RC_ASSERT(std::tie(back->id, back->class_id, back->due, back->attempts, back->priority, back->held) ==
              std::tie(row.id, row.class_id, row.due, row.attempts, row.priority, row.held));
  });
  rc::check("attempt", [](const std::string& reply, const std::string& way, bool uncertain,
                          std::vector<std::uint32_t> recipients) {
    AttemptRow row{.at = WallTime(Duration(-5)),
                   .way = way,
                   .address = "a",
                   .phase = "p",
                   .reply = reply,
                   .meaning = "m",
                   .uncertain = uncertain,
                   .next = {},
                   .recipients = recipients};
    if (uncertain) row.next = WallTime(Duration(123456789));
    std::string key = attempt_key(QueueId{1}, 2);
    auto back = decode_attempt(key, encode(key, row));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->reply == reply && back->way == way && back->recipients == recipients && back->next == row.next &&
              back->at == row.at && back->uncertain == uncertain);
  });
}

// Every octet of a row counts: any change of one makes it unreadable, and so does another key.
TEST(Codec, DamageIsSeen) {
  const Message m = full_message();
  const std::string key = id_key(m.id), value = encode(key, m, m.chunks);
  for (std::size_t i = 0; i < value.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = value;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      auto back = decode_message(key, damaged);
      ASSERT_FALSE(back);
      EXPECT_EQ(back.error().kind, ErrorKind::kStorage);
    }
    EXPECT_FALSE(decode_message(key, value.substr(0, i)));
  }
  EXPECT_FALSE(decode_message(id_key(QueueId{10}), value));
  EXPECT_FALSE(decode_message(key, value + "x"));
}

// What a later version, or a bug, might write under a right checksum.
TEST(Codec, WellSealedNonsenseIsNoRow) {
  const std::string key = pair_key(QueueId{1}, 1);
  auto sealed = [&](Family family, std::string inside) {
    auto end = trailer(family, key, inside);
    return inside + std::string(end.data(), end.size());
  };
  std::string huge;  // a count of 2^60
  OctetWriter(huge).string("from");
  OctetWriter(huge).number(1ull << 60);
  for (const std::string& inside :
       {std::string(), std::string("x"), std::string(100, '\xff'), std::string(30, '\0'), huge}) {
    EXPECT_FALSE(decode_message(key, sealed(Family::kEnvelope, inside)));
    EXPECT_FALSE(decode_attempt(key, sealed(Family::kAttempt, inside)) && inside.size() != 30);
    EXPECT_FALSE(decode_due(key, sealed(Family::kDue, inside)));
  }
}

// RFC 8689: what a message demands of TLS stays with it and with its classes; rows of before it are read as usual mail.
TEST(Codec, TheDemandOfTls) {
  for (auto tls : {mail::TlsDemand::kUsual, mail::TlsDemand::kRequired, mail::TlsDemand::kOptional}) {
    Message m = full_message();
    m.envelope.tls = tls;
    const std::string key = id_key(m.id);
    auto read = decode_message(key, encode(key, m, m.chunks));
    ASSERT_TRUE(read);
    expect_same(*read, m);
    for (const char* user : {"", "taro"}) {
      ClassRow row{7, {"x.example", *user ? user : "me@home.example", user, "in", "me@home.example"}};
      row.key.tls = tls;
      const std::string at = class_key(7);
      auto back = decode_class(at, encode(at, row));
      ASSERT_TRUE(back);
      EXPECT_EQ(back->key, row.key);
    }
  }
  AttemptRow attempt;
  attempt.way = "direct";
  attempt.recipients = {0, 2};
  for (const char* tls : {"", "verified:dane-ee TLSv1.3"}) {
    attempt.tls = tls;
    const std::string key = attempt_key(QueueId{1}, 2);
    auto read = decode_attempt(key, encode(key, attempt));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->tls, tls);
    EXPECT_EQ(read->recipients, attempt.recipients);
  }
}

TEST(MemberName, AMemberIsCalledByWhatItsMailDemands) {
  for (auto tls : {mail::TlsDemand::kUsual, mail::TlsDemand::kRequired, mail::TlsDemand::kOptional}) {
    std::string name = member_name("example.org", tls);
    EXPECT_EQ(demand_of(name), tls);
    EXPECT_EQ(name, "example.org");
  }
}

// The sender is stored where a user logged in; without one it is the sender_key. Rows of before it was part of a class
// are read as they were.
TEST(Codec, TheSenderOfAClass) {
  const std::string key = class_key(7);
  ClassRow row{7, {"x.example", "taro", "taro", "in", "me@home.example"}};
  auto read = decode_class(key, encode(key, row));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, row.key);
  ClassRow nobody{7, {"x.example", "me@home.example", "", "in", "me@home.example"}};
  read = decode_class(key, encode(key, nobody));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, nobody.key);
}

}  // namespace
}  // namespace sidegate::queue::codec_test
