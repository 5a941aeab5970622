// What is done to mail as it comes in: canonical maps, and the body's hashes for signatures to come.
#include <gtest/gtest.h>

#include "base/text.h"
#include "dkim/canonical.h"
#include "intake/own_fields.h"
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

// What was sent, in pieces of each of these sizes: the message behind its trace field, and how the log tells of it.
struct Mended {
  std::string message, told;
  bool operator==(const Mended&) const = default;
};
Mended mended(std::string content, bool mends = true, void (*change)(House&) = nullptr) {
  CapturedLog captured;
  House house("gate.test", captured.log());
  house.context.mends = mends;
  house.context.hash_simple = house.context.hash_relaxed = true;
  house.settings.add_missing_headers = false;
  if (change) change(house);
  house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nBDAT " + std::to_string(content.size()) +
             " LAST\r\n" + content);
  if (house.store.messages.size() != 1) return {"refused", ""};
  const auto& kept = house.store.messages.begin()->second;
  Mended out;
  std::size_t at = kept.header.find("\r\n") + 2;
  while (kept.header[at] == ' ' || kept.header[at] == '\t') at = kept.header.find("\r\n", at) + 2;
  out.message = kept.header.substr(at) + kept.body;
  EXPECT_EQ(kept.message.header_size, kept.header.size());
  EXPECT_EQ(kept.message.body_size, kept.body.size());
  const std::string_view body = kept.body;
  const auto hashes = hashed(body.starts_with("\r\n") ? body.substr(2) : body);
  EXPECT_EQ(kept.message.body_hash_simple, hashes.simple()) << content;
  EXPECT_EQ(kept.message.body_hash_relaxed, hashes.relaxed()) << content;
  const auto lines = captured.lines("header_mended");
  EXPECT_LE(lines.size(), 1u);
  if (!lines.empty()) out.told = lines[0].contains("mbox") ? "mbox" : "broken";
  return out;
}

TEST(MendedHeader, ALineThatIsNoFieldHidesNothing) {
  struct {
    const char *sent, *kept, *told;
  } cases[] = {
      {"From: a@b\r\n\r\nFrom x\r\n", "From: a@b\r\n\r\nFrom x\r\n", ""},
      {"From: a@b\r\n", "From: a@b\r\n", ""},
      {"From : a@b\r\n\r\nx\r\n", "From : a@b\r\n\r\nx\r\n", ""},
      {"From \t: a@b\r\n\r\nx\r\n", "From \t: a@b\r\n\r\nx\r\n", ""},
      {"\r\nx\r\n", "\r\nx\r\n", ""},
      {"\r\n", "\r\n", ""},
      {"", "", ""},
      {"From ann@nas.home Sat Nov 21 22:25:12 2026\r\nFrom: a@b\r\n\r\nx\r\n", "From: a@b\r\n\r\nx\r\n", "mbox"},
      {">From ann@nas.home Sat Nov 21\r\nFrom: a@b\r\n\r\nx\r\n", "From: a@b\r\n\r\nx\r\n", "mbox"},
      {"From a Sat\r\n>>From b Sun\r\nFrom: a@b\r\n\r\nx\r\n", "From: a@b\r\n\r\nx\r\n", "mbox"},
      {"From a Sat\r\n\r\nx\r\n", "\r\nx\r\n", "mbox"},
      {"From a Sat\r\n", "", "mbox"},
      {"From a: b\r\nTo: c@d\r\n\r\n", "To: c@d\r\n\r\n", "mbox"},
      {"Fromage\r\n", "\r\nFromage\r\n", "broken"},
      {">quoted\r\nTo: c@d\r\n\r\n", "\r\n>quoted\r\nTo: c@d\r\n\r\n", "broken"},
      {"Fro", "\r\nFro", "broken"},
      {"hello\r\nFrom: a@b\r\n", "\r\nhello\r\nFrom: a@b\r\n", "broken"},
      {"From: a@b\r\nFrom a Sat\r\nTo: c@d\r\n\r\nx\r\n", "From: a@b\r\n\r\nFrom a Sat\r\nTo: c@d\r\n\r\nx\r\n",
       "broken"},
      {"From: a@b\r\nGarbage line\r\nTo: c@d\r\n\r\nx\r\n", "From: a@b\r\n\r\nGarbage line\r\nTo: c@d\r\n\r\nx\r\n",
       "broken"},
      {"To: c@d\r\nMAIL FROM:<a@b>\r\nFrom: a@b\r\n\r\nx\r\n",
       "To: c@d\r\n\r\nMAIL FROM:<a@b>\r\nFrom: a@b\r\n\r\nx\r\n", "broken"},
      {"To: c@d\r\nS\xfc: x\r\nFrom: a@b\r\n\r\nx\r\n", "To: c@d\r\n\r\nS\xfc: x\r\nFrom: a@b\r\n\r\nx\r\n", "broken"},
      {"To: c@d\r\nTrunc", "To: c@d\r\n\r\nTrunc", "broken"},
      {"From a Sat\r\nTo: c@d\r\ngarbage\r\n", "To: c@d\r\n\r\ngarbage\r\n", "broken"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(mended(c.sent), (Mended{c.kept, c.told})) << c.sent;
    EXPECT_EQ(mended(c.sent, false), (Mended{c.sent, ""})) << c.sent;  // where nothing looks at it
  }
}

// However the octets arrive.
TEST(MendedHeader, InPieces) {
  for (std::string text :
       {"From a Sat\r\n>From b\r\nTo: c@d\r\ngarbage x\r\n\r\nx\r\n", ">Fro: x\r\n", "From : x\r\n\r\nx"}) {
    FakeStore store;
    auto take = [&](std::size_t piece) {
      Incoming in(store.expected());
      in.mend_header();
      for (std::size_t at = 0; at < text.size();) at += in.take(std::string_view(text).substr(at, piece), 1000);
      in.finish();
      return in.header() + "|" + in.body();
    };
    for (std::size_t piece = 1; piece < text.size(); ++piece) EXPECT_EQ(take(piece), take(text.size())) << piece;
  }
}

// A body of several chunks goes on behind the line that was put before it.
TEST(MendedHeader, ALargeBodyIsWhole) {
  std::string body = "garbage\r\n";
  for (int i = 0; i < 12000; ++i) body += std::string(98, static_cast<char>('a' + i % 26)) + "\r\n";
  House house("gate.test");
  house.context.mends = house.context.hash_simple = house.context.hash_relaxed = true;
  house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nTo: c@d\r\n" + body + ".\r\n");
  ASSERT_EQ(house.store.messages.size(), 1u);
  const auto& kept = house.store.messages.begin()->second;
  EXPECT_EQ(kept.message.body_size, body.size() + 2);
  EXPECT_EQ(kept.message.body_hash_simple, hashed(body).simple());
  EXPECT_EQ(kept.message.body_hash_relaxed, hashed(body).relaxed());
}

TEST(MendedHeader, MissingFieldsAreAddedToIt) {
  const Mended made = mended("Garbage\r\nFrom: x@y\r\n", true, [](House& h) { h.settings.add_missing_headers = true; });
  EXPECT_TRUE(made.message.starts_with("Date: ")) << made.message;
  EXPECT_TRUE(made.message.contains("\r\nMessage-ID: <")) << made.message;
  EXPECT_TRUE(made.message.ends_with("\r\nFrom: a@x.example\r\n\r\nGarbage\r\nFrom: x@y\r\n")) << made.message;
}

TEST(MendedHeader, AStrangersStays) {
  for (std::string text : {"From a Sat\r\nTo: c@d\r\n\r\nx\r\n", "To: c@d\r\ngarbage\r\n"}) {
    LocalHouse house("gate.test", "");
    house.context.mends = true;
    house.settings.profile = Profile::kSmtp;
    house.settings.trust_loopback = false;
    house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<bob@gate.test>\r\nDATA\r\n" + text + ".\r\n");
    ASSERT_EQ(house.store.messages.size(), 1u);
    const auto& kept = house.store.messages.begin()->second;
    EXPECT_TRUE((kept.header + kept.body).ends_with("\r\n" + text)) << kept.header + kept.body;
  }
}

TEST(WholeAddresses, TheHostWhereItIsMissing) {
  struct {
    const char *block, *expected;
  } cases[] = {
      {"From: root (Cron Daemon)\r\nTo: root\r\n", "From: root@h.example (Cron Daemon)\r\nTo: root@h.example\r\n"},
      {"To: a@x.example, b,\r\n c (d)\r\n", "To: a@x.example, b@h.example,\r\n c@h.example (d)\r\n"},
      {"Subject: root\r\nX-To: root\r\n", "Subject: root\r\nX-To: root\r\n"},
      {"To: undisclosed-recipients:;\r\n", "To: undisclosed-recipients:;\r\n"},
      {"From: Cron Daemon\r\n", "From: Cron Daemon\r\n"},
      {"Resent-To: a\r\nCC: b\r\n", "Resent-To: a@h.example\r\nCC: b@h.example\r\n"},
      {"From:\r\nTo: \r\n", "From:\r\nTo: \r\n"},
      {"From: <>\r\n", "From: <>\r\n"},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(with_whole_addresses(c.block, "h.example"), c.expected) << c.block;
}

TEST(WholeAddresses, OfProgramsHere) {
  const std::string header =
      "From: Cron <root>\r\nTo: bob, ann@x.example\r\nCc: Team: carol;\r\nSubject: root\r\n"
      "Reply-To: \x1b$B;3ED\x1b(B <root>\r\nX-To: bob\r\n";
  const std::string whole =
      "From: Cron <root@gate.test>\r\nTo: bob@gate.test, ann@x.example\r\nCc: Team: carol@gate.test;\r\n"
      "Subject: root\r\nReply-To: \x1b$B;3ED\x1b(B <root@gate.test>\r\nX-To: bob\r\n";
  auto kept = [&](auto change) {
    LocalHouse house("gate.test", "");
    change(house);
    house.play("EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<bob@gate.test>\r\nDATA\r\n" + header + "\r\nx\r\n.\r\n");
    return house.store.messages.size() == 1 ? house.store.messages.begin()->second.header : "";
  };
  EXPECT_TRUE(kept([](House&) {}).contains("\r\n" + whole));
  EXPECT_TRUE(kept([](House& h) { h.settings.add_missing_headers = false; }).contains("\r\n" + header));
  EXPECT_TRUE(kept([](House& h) {
                h.settings.address = "0.0.0.0";
                h.settings.networks = {"198.51.100.0/24"};
                h.peer = {.address = "198.51.100.7", .port = 1025};
              }).contains("\r\n" + header));
  EXPECT_TRUE(kept([](House& h) {
                h.settings.profile = Profile::kSmtp;
                h.settings.trust_loopback = false;
              }).contains("\r\n" + header));
}

}  // namespace
}  // namespace sidegate::intake::rewriting_test
