// What is done to mail as it comes in: canonical maps, and the body's hashes for signatures to come.
#include <gtest/gtest.h>

#include "base/text.h"
#include "dkim/canonical.h"
#include "intake/test_house.h"

namespace sidegate::intake::rewriting_test {
namespace {

std::shared_ptr<const rewrite::Incoming> rules() {
  rewrite::Incoming made;
  made.own = {"gate.test", {"gate.test"}, "+"};
  made.canonical.all = rewrite::AddressMap({{"login", "first.last@home.example"}, {"bobby", "bob@gate.test"}});
  return std::make_shared<const rewrite::Incoming>(std::move(made));
}

const std::string kMessage =
    "DATA\r\nDate: now\r\nMessage-ID: <x@y>\r\nFrom: L <login@gate.test>\r\nTo: bobby@gate.test\r\n\r\nhi \r\n.\r\n";

TEST(Canonical, EnvelopeAndHeaderBeforeAliases) {
  LocalHouse house("gate.test", "bob: robert@elsewhere.example\n");
  house.context.canonical.set(rules());
  house.play("EHLO c\r\nMAIL FROM:<login@gate.test>\r\nRCPT TO:<bobby@gate.test>\r\nRCPT TO:<login@x.example>\r\n" +
             kMessage);
  ASSERT_EQ(house.store.messages.size(), 1u);
  const auto& kept = house.store.messages.begin()->second;
  EXPECT_EQ(kept.message.envelope.reverse_path, "first.last@home.example");
  ASSERT_EQ(kept.message.envelope.recipients.size(), 2u);
  EXPECT_EQ(kept.message.envelope.recipients[0].address, "robert@elsewhere.example");
  EXPECT_EQ(kept.message.envelope.recipients[0].original, "bobby@gate.test");
  EXPECT_EQ(kept.message.envelope.recipients[1].address, "login@x.example");
  EXPECT_NE(kept.header.find("From: L <first.last@home.example>\r\nTo: bob@gate.test\r\n"), std::string::npos)
      << kept.header;
  EXPECT_TRUE(kept.message.submitted);
}

TEST(Canonical, AStrangersHeaderStays) {
  LocalHouse house("gate.test", "");
  house.context.canonical.set(rules());
  house.settings.profile = Profile::kSmtp;
  house.settings.trust_loopback = false;
  house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<bobby@gate.test>\r\n" + kMessage);
  ASSERT_EQ(house.store.messages.size(), 1u);
  const auto& kept = house.store.messages.begin()->second;
  EXPECT_EQ(kept.message.envelope.recipients[0].target, "bob");
  EXPECT_NE(kept.header.find("From: L <login@gate.test>\r\nTo: bobby@gate.test\r\n"), std::string::npos) << kept.header;
  EXPECT_FALSE(kept.message.submitted);
}

dkim::BodyHasher hashed(std::string_view body) {
  dkim::BodyHasher hasher(true, true);
  hasher.push(body);
  hasher.finish();
  return hasher;
}

TEST(BodyHashes, AsTheContentIsWithoutItsEmptyLine) {
  std::string large;
  for (int i = 0; i < 6000; ++i) large += std::string(98, static_cast<char>('a' + i % 26)) + " \r\n";
  struct {
    std::string sent, body;
  } cases[] = {
      {"Subject: x\r\n\r\nhi \r\n\r\n", "hi \r\n\r\n"},
      {"Subject: x\r\n", ""},
      {"Subject: x\r\n\r\n", ""},
      {"no header\r\nat all\r\n", "no header\r\nat all\r\n"},
      {"Subject: x\r\n\r\n" + large, large},
  };
  for (const auto& c : cases) {
    House house("gate.test");
    house.context.hash_simple = house.context.hash_relaxed = true;
    house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n" + c.sent + ".\r\n");
    ASSERT_EQ(house.store.messages.size(), 1u);
    const queue::Message& kept = house.store.messages.begin()->second.message;
    EXPECT_EQ(kept.body_hash_simple, hashed(c.body).simple()) << printable(c.sent, 40);
    EXPECT_EQ(kept.body_hash_relaxed, hashed(c.body).relaxed()) << printable(c.sent, 40);
  }
}

TEST(BodyHashes, NoneUnlessAskedFor) {
  House house("gate.test");
  house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nSubject: x\r\n\r\nhi\r\n.\r\n");
  EXPECT_EQ(house.store.messages.begin()->second.message.body_hash_relaxed, dkim::Hash{});
}

}  // namespace
}  // namespace sidegate::intake::rewriting_test
