// Intake behind a real session: what is accepted is whole and durable, what is refused leaves nothing.
#include "intake/intake.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "intake/test_house.h"

namespace sidegate::intake::intake_test {
namespace {

struct Fixture : House {
  Fixture() : House("mx.example") {}
  const FakeStore::Kept& only() const { return store.messages.begin()->second; }
};

const std::string kStart = "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@D.example>\r\n";
const std::string kHeader = "Date: Sat, 21 Nov 2026 22:25:12 +0000\r\nMessage-ID: <x@y>\r\nSubject: test\r\n";

std::string by_data(const std::string& content) {
  return "DATA\r\n" + content + ".\r\n";
}

// The block without the trace field that stands first.
std::string behind_trace(const std::string& header) {
  EXPECT_TRUE(header.starts_with("Received: from client.example")) << header;
  std::size_t at = header.find("\r\n");
  while (at != std::string::npos && at + 2 < header.size() && (header[at + 2] == ' ' || header[at + 2] == '\t')) {
    at = header.find("\r\n", at + 2);
  }
  return header.substr(at + 2);
}

TEST(Intake, AcceptsAMessage) {
  Fixture f;
  std::string written = f.play(kStart + by_data(kHeader + "\r\nhello\r\n") + "QUIT\r\n");
  ASSERT_EQ(f.store.messages.size(), 1u) << written;
  const auto& kept = f.only();
  EXPECT_NE(written.find("250 2.0.0 queued as " + kept.message.id.text()), std::string::npos) << written;
  EXPECT_EQ(behind_trace(kept.header), kHeader);
  EXPECT_NE(kept.header.find("for <c@D.example>"), std::string::npos);
  EXPECT_NE(kept.header.find("with ESMTP id " + kept.message.id.text()), std::string::npos);
  EXPECT_EQ(kept.body, "\r\nhello\r\n");
  EXPECT_EQ(kept.message.header_size, kept.header.size());
  EXPECT_EQ(kept.message.body_size, kept.body.size());
  EXPECT_EQ(kept.message.chunks, 1u);
  EXPECT_EQ(kept.message.message_id, "<x@y>");
  EXPECT_EQ(kept.message.envelope.reverse_path, "a@b.example");
  EXPECT_EQ(kept.message.envelope.recipients.at(0).address, "c@D.example");
  EXPECT_EQ(kept.message.origin.protocol, "ESMTP");
  EXPECT_EQ(kept.message.origin.listener, "local");
  ASSERT_EQ(kept.due.size(), 1u);
  EXPECT_EQ(kept.due[0].due, f.clock.wall());
  ASSERT_EQ(f.store.saved.size(), 1u);
  EXPECT_EQ(f.store.saved[0].key.recipient_domain, "d.example");
  EXPECT_EQ(f.store.saved[0].key.sender_key, "a@b.example");
  EXPECT_EQ(f.store.calls, (std::vector<std::string>{"intern", "accept"}));
  EXPECT_EQ(f.scheduler.totals().messages, 1u);
}

TEST(Intake, OneClassADomain) {
  Fixture f;
  f.play(
      "EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@one.example>\r\nRCPT TO:<b@two.example>\r\nRCPT "
      "TO:<c@ONE.example>\r\n" +
      by_data(kHeader + "\r\n"));
  ASSERT_EQ(f.store.messages.size(), 1u);
  const auto& kept = f.only();
  ASSERT_EQ(kept.message.classes.size(), 3u);
  EXPECT_EQ(kept.message.classes[0], kept.message.classes[2]);
  EXPECT_NE(kept.message.classes[0], kept.message.classes[1]);
  EXPECT_EQ(kept.due.size(), 2u);
  EXPECT_EQ(kept.header.find(" for "), std::string::npos);  // blind copies stay blind
  EXPECT_EQ(kept.message.envelope.reverse_path, "");
}

TEST(Intake, AKnownClassIsNotWrittenAgain) {
  Fixture f;
  f.play(kStart + by_data(kHeader + "\r\n") + "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@d.example>\r\n" +
         by_data(kHeader + "\r\n"));
  EXPECT_EQ(f.store.calls, (std::vector<std::string>{"intern", "accept", "accept"}));
}

TEST(Intake, MissingFields) {
  struct {
    const char* why;
    std::string content;
    bool date, message_id;  // added
  } cases[] = {
      {"both there", kHeader + "\r\nx\r\n", false, false},
      {"in other cases", "DATE: x\r\nmessage-id: y\r\n\r\nx\r\n", false, false},
      {"no Date", "Message-ID: <x@y>\r\n\r\nx\r\n", true, false},
      {"no Message-ID", "Date: x\r\n\r\nx\r\n", false, true},
      {"an empty header", "\r\nx\r\n", true, true},
      {"a header alone", "Subject: x\r\n", true, true},
      {"no header at all: left alone", "hello\r\nDate: x\r\n", false, false},
      {"an mbox line first: left alone", "From a Sat Nov 21 22:25:12 2026\r\nSubject: x\r\n\r\nx\r\n", false, false},
      {"no empty line before the body: left alone", "Subject: x\r\nhello\r\n", false, false},
  };
  for (bool allowed : {true, false}) {
    for (const auto& c : cases) {
      SCOPED_TRACE(c.why);
      Fixture f;
      f.settings.add_missing_headers = allowed;
      f.play(kStart + by_data(c.content));
      ASSERT_EQ(f.store.messages.size(), 1u);
      const auto& kept = f.only();
      std::string message = behind_trace(kept.header) + kept.body;
      std::string added;
      for (const char* name : {"Date: ", "Message-ID: <"}) {
        bool is_date = name[0] == 'D';
        std::size_t at = kept.header.rfind(std::string("\r\n") + name);
        bool wanted = allowed && (is_date ? c.date : c.message_id);
        if (!wanted) continue;
        ASSERT_NE(at, std::string::npos);
        added += kept.header.substr(at + 2, kept.header.find("\r\n", at + 2) + 2 - at - 2);
      }
      if (added.empty()) {
        EXPECT_EQ(message, c.content);
      } else {
        ASSERT_TRUE(kept.header.ends_with(added));  // at the end of the block
        std::string own = behind_trace(kept.header);
        own.resize(own.size() - added.size());
        EXPECT_EQ(own + kept.body, c.content);
      }
    }
  }
}

// What other servers bring for our recipients goes on octet for octet behind the trace field.
TEST(Intake, AStrangersHeaderIsNotTouched) {
  Fixture f;
  f.settings.profile = Profile::kSmtp;
  f.settings.address = "0.0.0.0";
  f.peer = {.address = "198.51.100.1", .port = 1025};
  auto keys = std::make_shared<const rewrite::SrsKeys>("gate.example", std::vector<std::string>{"0123456789abcdef"});
  f.context.return_addresses.set(keys);
  std::string ours = rewrite::srs_forward(*keys, "ann@sender.example", f.clock.wall());
  const std::string content = "Bcc: x@y.example\r\nSubject: no date\r\n\r\nx\r\n";
  f.play("EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<" + ours + ">\r\n" + by_data(content));
  ASSERT_EQ(f.store.messages.size(), 1u);
  EXPECT_EQ(behind_trace(f.only().header) + f.only().body, content);
}

// A session whose user has logged in, as the layer below tells it.
class LoggedIn final : public smtp::Receiver {
 public:
  explicit LoggedIn(Intake& intake) : intake_(intake) {}
  net::Awaitable<mail::Reply> connected(const smtp::SessionInfo& session) override {
    return intake_.connected(session);
  }
  net::Awaitable<mail::Reply> mail(const smtp::SessionInfo& session, smtp::MailCommand command) override {
    return intake_.mail(known(session), std::move(command));
  }
  net::Awaitable<mail::Reply> rcpt(const smtp::SessionInfo& session, smtp::RcptCommand command) override {
    return intake_.rcpt(known(session), std::move(command));
  }
  net::Awaitable<mail::Reply> begin(const smtp::SessionInfo& session) override { return intake_.begin(known(session)); }
  net::Awaitable<void> content(std::string_view bytes) override { return intake_.content(bytes); }
  net::Awaitable<mail::Reply> end(const smtp::SessionInfo& session, const smtp::ContentFacts& facts) override {
    return intake_.end(known(session), facts);
  }
  void abort() noexcept override { intake_.abort(); }

 private:
  const smtp::SessionInfo& known(const smtp::SessionInfo& session) {
    known_ = session;
    known_.tls = true;
    known_.user = "taro";
    return known_;
  }
  Intake& intake_;
  smtp::SessionInfo known_;
};

std::string submitted_header(Fixture& f, const std::string& content) {
  f.settings.profile = Profile::kSubmission;
  f.settings.address = "0.0.0.0";
  f.settings.auth = true;
  f.peer = {.address = "198.51.100.77", .port = 1025};
  auto policy = ListenerPolicy::make(f.settings).value();
  net::ScriptStream stream;
  stream.from(f.peer).peer_sends("EHLO laptop.home\r\nMAIL FROM:<taro@b.example>\r\nRCPT TO:<c@d.example>\r\n" +
                                 by_data(content));
  Intake under(f.context, policy, 0);
  LoggedIn intake(under);
  std::shared_ptr<const smtp::ServerSettings> smtp(policy, &policy->settings.smtp);
  smtp::ServerSession session(stream, intake, smtp, "in");
  net::run_script(session.run());
  EXPECT_EQ(f.store.messages.size(), 1u) << stream.written();
  return f.store.messages.empty() ? "" : f.only().header;
}

TEST(Intake, SubmissionMendsTheHeader) {
  Fixture f;
  std::string header = submitted_header(
      f,
      "To: root, x@y.example\r\nBcc: secret@y.example,\r\n other@y.example\r\nReturn-Path: <z@y.example>\r\n\r\nx\r\n");
  EXPECT_NE(header.find("\r\nDate: "), std::string::npos) << header;
  EXPECT_NE(header.find("\r\nMessage-ID: <"), std::string::npos);
  EXPECT_NE(header.find("\r\nFrom: taro@b.example\r\n"), std::string::npos);
  EXPECT_NE(header.find("\r\nTo: root@mx.example, x@y.example\r\n"), std::string::npos);
  for (const char* gone : {"Bcc", "secret@", "other@", "Return-Path"}) EXPECT_EQ(header.find(gone), std::string::npos);
  EXPECT_EQ(header.find("\r\nSender:"), std::string::npos);
}

TEST(Intake, TheClientsAddressIsHiddenUnlessSaid) {
  for (bool hidden : {true, false}) {
    Fixture f;
    f.settings.hide_client = hidden;
    std::string header = submitted_header(f, kHeader + "From: taro@b.example\r\n\r\nx\r\n");
    EXPECT_EQ(header.find("198.51.100.77") == std::string::npos, hidden) << header;
    EXPECT_EQ(header.find("laptop.home") == std::string::npos, hidden) << header;
    EXPECT_TRUE(header.starts_with("Received: from ")) << header;
    EXPECT_EQ(f.only().message.origin.peer_address, "198.51.100.77");  // for the log and `queue show`
  }
}

TEST(Intake, SenderNamesWhoLoggedIn) {
  struct {
    const char *given, *sender;  // sender: the field that must be there; empty: none
  } cases[] = {
      {"From: other@b.example\r\n", "Sender: taro@mx.example\r\n"},
      {"From: other@b.example\r\nSender: forged@b.example\r\n", "Sender: taro@mx.example\r\n"},
      {"From: Taro <TARO@mx.example>\r\n", ""},
      {"From: a@b.example, taro@mx.example\r\n", ""},
      {"From: a@b.example\r\nSender: taro@mx.example\r\n", "Sender: taro@mx.example\r\n"},
  };
  for (const auto& c : cases) {
    Fixture f;
    f.settings.add_sender = true;
    std::string header = submitted_header(f, kHeader + c.given + "\r\nx\r\n");
    EXPECT_EQ(mail::count_field(header, "Sender"), std::string_view(c.sender).empty() ? 0u : 1u) << header;
    EXPECT_NE(header.find(c.sender), std::string::npos) << header;
    EXPECT_EQ(header.find("forged"), std::string::npos);
  }
}

TEST(Intake, SubmissionBeginsWithLogin) {
  Fixture f;
  f.settings.profile = Profile::kSubmission;
  f.settings.networks = {"127.0.0.0/8"};
  std::string written = f.play("EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nVRFY root\r\nETRN x\r\n");
  EXPECT_NE(written.find("\r\n530 5.7.0 Authentication required"), std::string::npos) << written;
  EXPECT_NE(written.find("\r\n503 5.5.1"), std::string::npos);
  EXPECT_NE(written.find("\r\n252 "), std::string::npos);
  EXPECT_NE(written.find("\r\n502 5.5.1"), std::string::npos);
}

TEST(Intake, ByteExactWhateverItLooksLike) {
  std::vector<std::string> contents = {
      "",
      "\r\n",
      "no header, no colon\r\n",
      " leading space\r\n",
      "From x@y Sat Nov 21 22:25:12 2026\r\nReceived: a\r\n\r\nx\r\n",
      "A: b\r\n folded\r\n\tmore\r\n\r\nbody\r\n",
      "A: b\r\nnot a field\r\nC: d\r\n\r\nbody\r\n",
      "A: b\r\n\r\n\r\n\r\n",
      "A:\r\n :\r\n\r\n",
      std::string(5000, 'x') + "\r\n",
      "A: " + std::string(5000, 'x') + "\r\n\r\n" + std::string(5000, 'y') + "\r\n",
      "\xe3\x81\x82: x\r\n\r\n\xe3\x81\x84\r\n",
  };
  for (const auto& content : contents) {
    for (std::size_t octets : {std::size_t{65536}, std::size_t{1}, std::size_t{7}}) {
      Fixture f;
      f.settings.add_missing_headers = false;
      net::ScriptStream stream;
      stream.deliver_at_most(octets);
      f.play(stream, kStart + "BDAT " + std::to_string(content.size()) + " LAST\r\n" + content);
      ASSERT_EQ(f.store.messages.size(), 1u) << printable(content);
      EXPECT_EQ(behind_trace(f.only().header) + f.only().body, content);
      EXPECT_EQ(f.only().message.body_size, f.only().body.size());
    }
  }
}

TEST(Intake, LargeBodiesAreStreamed) {
  constexpr std::size_t kChunk = queue::kChunkSize;
  std::string line = std::string(62, 'x') + "\r\n";  // 64 octets: chunks end between lines
  struct {
    std::size_t body;  // octets, the empty line included
    std::vector<std::string> calls;
  } cases[] = {
      {kChunk, {"intern", "accept"}},
      {kChunk + 1, {"put 0", "intern", "accept"}},
      {2 * kChunk, {"put 0", "intern", "accept"}},
      {5 * kChunk / 2, {"put 0", "put 1", "intern", "accept"}},
  };
  for (const auto& c : cases) {
    Fixture f;
    std::string body = "\r\n";
    while (body.size() + line.size() <= c.body) body += line;
    body += std::string(c.body - body.size(), 'z');
    std::string content = kHeader + body;
    f.play(kStart + "BDAT " + std::to_string(content.size()) + " LAST\r\n" + content);
    ASSERT_EQ(f.store.messages.size(), 1u);
    const auto& kept = f.only();
    EXPECT_EQ(f.store.calls, c.calls);
    EXPECT_TRUE(kept.body == body);
    EXPECT_EQ(kept.message.body_size, body.size());
    EXPECT_EQ(kept.message.chunks, (body.size() + kChunk - 1) / kChunk);
    EXPECT_TRUE(f.store.open.empty());
  }
}

TEST(Intake, EightBit) {
  struct {
    const char* why;
    std::string content;
    bool header, body;
  } cases[] = {
      {"none", "A: b\r\n\r\nc\r\n", false, false},
      {"body", "A: b\r\n\r\n\xc3\xa4\r\n", false, true},
      {"header", "A: \xc3\xa4\r\n\r\nc\r\n", true, false},
      {"both", "A: \xc3\xa4\r\n\r\n\xc3\xa4\r\n", true, true},
  };
  for (const auto& c : cases) {
    Fixture f;
    f.play(kStart + by_data(c.content));
    ASSERT_EQ(f.store.messages.size(), 1u);
    EXPECT_EQ(f.only().message.eight_bit_header, c.header) << c.why;
    EXPECT_EQ(f.only().message.eight_bit_body, c.body) << c.why;
  }
}

TEST(Intake, RefusedContentLeavesNothing) {
  std::string hops;
  for (int i = 0; i < 101; ++i) hops += "Received: from a by b; Sat, 21 Nov 2026 22:25:12 +0000\r\n";
  std::string big(300'000, 'h');
  struct {
    const char* why;
    std::string content;
    const char* reply;
  } cases[] = {
      {"a loop", hops + "\r\nx\r\n", "554 5.4.6"},
      {"header too large",
       "A: b\r\n" +
           [&] {
             std::string fields;
             for (int i = 0; i < 300; ++i) fields += "X-" + std::to_string(i) + ": " + std::string(900, 'h') + "\r\n";
             return fields;
           }() +
           "\r\nx\r\n",
       "552 5.3.4"},
      {"bare LF", "A: b\r\n\r\na\nb\r\n", "554 5.6.0"},
      {"bare LF behind a chunk",
       "A: b\r\n\r\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 400; ++i) lines += std::string(900, 'x') + "\r\n";
             return lines;
           }() +
           "a\nb\r\n",
       "554 5.6.0"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    Fixture f;
    std::string written = f.play(kStart + by_data(c.content) + "NOOP\r\n");
    EXPECT_NE(written.find(std::string("\r\n") + c.reply), std::string::npos) << written;
    EXPECT_TRUE(written.ends_with("250 2.0.0 Ok\r\n"));
    EXPECT_TRUE(f.store.messages.empty());
    EXPECT_TRUE(f.store.open.empty());
    EXPECT_EQ(f.scheduler.totals().messages, 0u);
  }
  Fixture f;
  hops.resize(hops.size() - hops.size() / 101);  // 100 are no loop
  f.play(kStart + by_data(hops + "\r\nx\r\n"));
  EXPECT_EQ(f.store.messages.size(), 1u);
}

TEST(Intake, WhatNoWayOutTakesIsRefused) {
  const std::string body = kHeader + "\r\n" + std::string(900, 'x') + "\r\n";
  struct {
    std::uint64_t largest;
    const char* size;
    const char* reply;
  } cases[] = {{0, " SIZE=5000", "250 2.0.0 queued"},
               {5000, " SIZE=5000", "250 2.0.0 queued"},
               {4999, " SIZE=5000", "552 5.3.4 Message is larger than any way out takes: 4999 octets"},
               {500, "", "552 5.3.4 Message is larger than any way out takes: 500 octets"}};
  for (const auto& c : cases) {
    Fixture f;
    f.scheduler.set_sizes(c.largest, c.largest);
    f.context.entry_routes.set(
        std::make_shared<const EntryRoutes>(EntryRoutes{{}, [&](const queue::ClassKey&) { return c.largest; }}));
    std::string written = f.play("EHLO c.example\r\nMAIL FROM:<a@b.example>" + std::string(c.size) +
                                 "\r\nRCPT TO:<c@d.example>\r\n" + by_data(body) + "NOOP\r\n");
    EXPECT_NE(written.find(c.reply), std::string::npos) << written;
    EXPECT_EQ(f.store.messages.empty(), c.reply[0] == '5');
  }
}

// Each class has ways of its own: what one of them does not take may go by another's, or have none that takes it.
TEST(Intake, WhatIsTooLargeIsAskedOfTheRecipientsOwnWays) {
  const std::string body = kHeader + "\r\n" + std::string(900, 'x') + "\r\n";
  for (const bool announced : {true, false}) {
    Fixture f;
    f.scheduler.set_sizes(0, 500);
    f.context.entry_routes.set(std::make_shared<const EntryRoutes>(
        EntryRoutes{{}, [](const queue::ClassKey& key) {
                      if (key.sender == "small@home.example") return std::uint64_t(500);
                      return std::uint64_t(key.recipient_domain == "narrow.example" ? 600 : 0);
                    }}));
    const std::string size = announced ? " SIZE=1500" : "";
    const auto message = [&](const std::string& from, const std::string& rcpts) {
      return "MAIL FROM:<" + from + ">" + size + "\r\n" + rcpts + by_data(body);
    };
    const std::string wide = "RCPT TO:<a@wide.example>\r\n", narrow = "RCPT TO:<b@narrow.example>\r\n";
    std::string said = f.play("EHLO c.example\r\n" + message("me@home.example", wide + narrow));
    EXPECT_EQ(f.store.messages.size(), 1u) << said;
    EXPECT_EQ(said.find("takes: 600 octets") != said.npos, announced) << said;  // else a report tells it
    said = f.play("EHLO c.example\r\n" + message("me@home.example", narrow));
    EXPECT_NE(said.find("552 5.3.4 Message is larger than any way out takes: 600 octets"), said.npos) << said;
    said = f.play("EHLO c.example\r\n" + message("small@home.example", wide));
    EXPECT_NE(said.find("552 5.3.4 Message is larger than any way out takes: 500 octets"), said.npos) << said;
    EXPECT_EQ(f.store.messages.size(), 1u);
  }
}

TEST(Intake, NoRelayForStrangers) {
  for (const char* to :
       {"c@d.example", "c%d.example@mx.example", "\"c@d.example\"@mx.example", "d.example!c@mx.example",
        "@mx.example:c@d.example", "c@[192.0.2.1]", "c@localhost", "Postmaster"}) {
    Fixture f;
    f.peer = {.address = "198.51.100.7", .port = 1025};
    std::string written = f.play("EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<" + std::string(to) +
                                 ">\r\n" + by_data(kHeader + "\r\nx\r\n"));
    EXPECT_NE(written.find("554 5.7.1 Relay access denied"), std::string::npos) << to << "\n" << written;
    EXPECT_EQ(written.find("354"), std::string::npos);
    EXPECT_TRUE(f.store.messages.empty());
  }
}

// By whom it is from, where it goes, and where it came in: as the table of routes is asked later.
TEST(Intake, RoutesThatRefuseOrHold) {
  Fixture f;
  f.context.entry_routes.set(std::make_shared<const EntryRoutes>(EntryRoutes{[](const queue::ClassKey& key) {
    using What = route::Decision::What;
    if (key.recipient_domain == "bad.example" && key.sender == "me@home.example")
      return route::Decision{What::kRefuse, mail::Reply(550, {5, 1, 2}, "not there")};
    if (key.recipient_domain == "later.example") return route::Decision{What::kHold, {}, "by route 2"};
    return route::Decision{};
  }}));
  const std::string rest = by_data("Subject: x\r\n\r\nbody\r\n");
  const auto said = f.play(
      "EHLO c.example\r\nMAIL FROM:<Me@Home.example>\r\nRCPT TO:<a@Bad.example>\r\n"
      "RCPT TO:<b@later.example>\r\nRCPT TO:<c@now.example>\r\n" +
      rest + "MAIL FROM:<other@home.example>\r\nRCPT TO:<d@bad.example>\r\n" + rest);
  EXPECT_NE(said.find("550 5.1.2 not there"), std::string::npos) << said;
  ASSERT_EQ(f.store.messages.size(), 2u);
  const auto totals = f.scheduler.totals();
  EXPECT_EQ(totals.held, 1u);
  EXPECT_EQ(totals.ready, 2u);
}

TEST(Intake, OldJapaneseMobileAddressesPassUnchanged) {
  for (const char* address : {"taro..k@docomo.example", "taro.@docomo.example", ".taro@docomo.example"}) {
    Fixture f;
    f.play("EHLO client.example\r\nMAIL FROM:<" + std::string(address) + ">\r\nRCPT TO:<" + address + ">\r\n" +
           by_data(kHeader + "\r\nx\r\n"));
    ASSERT_EQ(f.store.messages.size(), 1u) << address;
    EXPECT_EQ(f.only().message.envelope.reverse_path, address);
    EXPECT_EQ(f.only().message.envelope.recipients[0].address, address);
    EXPECT_NE(f.only().header.find("for <" + std::string(address) + ">"), std::string::npos);
  }
}

// --- Our own trouble: always 4yz, the connection is kept, nothing is kept or scheduled.

TEST(Intake, NoRoom) {
  struct {
    ErrorKind kind;
    const char* reply;
  } cases[] = {
      {ErrorKind::kNoSpace, "452 4.3.1"}, {ErrorKind::kStorage, "451 4.3.0"}, {ErrorKind::kOverload, "451 4.3.2"}};
  for (const auto& c : cases) {
    Fixture f;
    f.store.accepting = fail(c.kind, "no");
    std::string written = f.play(kStart + "NOOP\r\n");
    EXPECT_NE(written.find(c.reply), std::string::npos) << written;
    EXPECT_NE(written.find("503 5.5.1"), std::string::npos);
    EXPECT_TRUE(written.ends_with("250 2.0.0 Ok\r\n"));
  }
}

// No memory: the message is deferred, or this session alone ends, with 421; what was not answered 250 is not scheduled.
TEST(Intake, NoMemoryAtEveryStep) {
  std::string content = kHeader + "\r\n";
  while (content.size() < 5 * queue::kChunkSize / 2) content += std::string(998, 'x') + "\r\n";
  for (std::size_t at = 0; at < 8; ++at) {
    SCOPED_TRACE(at);
    Fixture f;
    f.store.no_memory_at = at;
    std::string written = f.play(kStart + by_data(content) + "QUIT\r\n");
    const bool claimed = written.find("queued as") != std::string::npos;
    EXPECT_EQ(f.store.messages.size(), claimed ? 1u : 0u);
    EXPECT_EQ(f.scheduler.totals().messages, f.store.messages.size());
    // The change could not be handed over; or the session itself could not go on.
    const bool deferred = written.find("\r\n451 4.3.2 ") != std::string::npos;
    if (!claimed && !deferred)
      EXPECT_TRUE(written.ends_with("421 4.3.0 Out of memory, try again later\r\n")) << written;
    if (claimed || deferred) EXPECT_TRUE(written.ends_with("221 2.0.0 Bye\r\n")) << written;
    // The next one finds nothing amiss.
    f.store.no_memory_at = SIZE_MAX;
    EXPECT_NE(f.play(kStart + by_data(kHeader + "\r\nx\r\n")).find("queued as"), std::string::npos);
  }
}

TEST(Intake, AStoreThatFailsAtEveryStep) {
  std::string content = kHeader + "\r\n";
  while (content.size() < 3 * queue::kChunkSize) content += std::string(998, 'x') + "\r\n";
  std::size_t steps = 0;
  {
    Fixture whole;
    std::string written = whole.play(kStart + by_data(content));
    ASSERT_EQ(whole.store.messages.size(), 1u) << written;
    steps = whole.store.calls.size();
  }
  EXPECT_EQ(steps, 5u);  // three chunks, the class, the message
  for (std::size_t at = 0; at < steps; ++at) {
    for (ErrorKind kind : {ErrorKind::kStorage, ErrorKind::kNoSpace, ErrorKind::kOverload, ErrorKind::kInternal}) {
      SCOPED_TRACE(std::to_string(at) + " " + name(kind));
      Fixture f;
      f.store.fail_at = at;
      f.store.error = {kind, "injected, with a path /var/lib"};
      std::string written =
          f.play(kStart + by_data(content) + kStart.substr(kStart.find("MAIL")) + by_data(kHeader + "\r\n"));
      EXPECT_EQ(written.find("/var/lib"), std::string::npos);  // causes go to the log
      EXPECT_TRUE(f.store.open.empty());
      bool retried = f.store.calls[at] == "intern";  // the class is written again, and all is well
      EXPECT_EQ(written.find("\r\n45") == std::string::npos, retried) << written;
      EXPECT_EQ(f.store.messages.size(), retried ? 2u : 1u);
      EXPECT_EQ(f.scheduler.totals().messages, f.store.messages.size());
      EXPECT_FALSE(f.store.saved.empty());
    }
  }
}

TEST(Intake, AFailedMessageWritesItsClassAgain) {
  Fixture f;
  f.store.fail_at = 1;  // the accept
  f.play(kStart + by_data(kHeader + "\r\n") + "MAIL FROM:<a@b.example>\r\nRCPT TO:<x@d.example>\r\n" +
         by_data(kHeader + "\r\n"));
  EXPECT_EQ(f.store.calls, (std::vector<std::string>{"intern", "accept", "intern", "accept"}));
}

TEST(Intake, AMessageWhoseClassCannotBeSavedIsTakenBack) {
  Fixture f;
  f.store.fail_all = "intern";
  std::string written = f.play(kStart + by_data(kHeader + "\r\n"));
  EXPECT_EQ(f.store.calls, (std::vector<std::string>{"intern", "accept", "intern", "remove"}));
  EXPECT_TRUE(f.store.messages.empty());
  EXPECT_EQ(f.scheduler.totals().messages, 0u);
  EXPECT_NE(written.find("\r\n451 4.3.0"), std::string::npos) << written;
}

TEST(Intake, QueueFull) {
  Fixture f;
  f.schedule.max_queued = 1;
  queue::Scheduler small(f.schedule, f.clock, 1);
  IntakeContext context(f.store, small, f.ids, f.clock, null_log());
  auto policy = ListenerPolicy::make(f.settings).value();
  net::ScriptStream stream;
  stream.from(f.peer).peer_sends(kStart + by_data(kHeader + "\r\n") + "MAIL FROM:<a@b.example>\r\n");
  Intake intake(context, policy, 0);
  smtp::ServerSession session(stream, intake, {policy, &policy->settings.smtp}, "local");
  net::run_script(session.run());
  EXPECT_EQ(f.store.messages.size(), 1u);
  EXPECT_NE(stream.written().find("452 4.3.1 Queue is full"), std::string::npos) << stream.written();
}

// --- Return addresses of what was forwarded

TEST(Intake, AReturnAddressLeadsBackForEveryone) {
  Fixture f;
  f.peer = {.address = "198.51.100.1", .port = 1025};
  auto keys = std::make_shared<const rewrite::SrsKeys>("gate.example", std::vector<std::string>{"0123456789abcdef"});
  f.context.return_addresses.set(keys);
  std::string made = rewrite::srs_forward(*keys, "Ann@sender.example", f.clock.wall());
  std::string old = rewrite::srs_forward(*keys, "ann@sender.example", f.clock.wall() - std::chrono::days(30));
  std::string forged = made;
  forged.replace(forged.find("sender"), 6, "victim");
  std::string there = made.substr(0, made.rfind('@')) + "@elsewhere.example";
  std::string written =
      f.play("EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<" + old + ">\r\nRCPT TO:<" + forged + ">\r\nRCPT TO:<" +
             there + ">\r\nRCPT TO:<" + made + ">\r\n" + by_data(kHeader + "\r\n"));
  EXPECT_NE(written.find("550 5.1.1 This return address has expired"), std::string::npos) << written;
  EXPECT_NE(written.find("550 5.7.1 This return address was not made here"), std::string::npos) << written;
  EXPECT_NE(written.find("554 5.7.1 Relay access denied"), std::string::npos) << written;  // another's domain
  ASSERT_EQ(f.store.messages.size(), 1u) << written;
  const auto& recipients = f.only().message.envelope.recipients;
  ASSERT_EQ(recipients.size(), 1u);
  EXPECT_EQ(recipients[0].address, "Ann@sender.example");
  EXPECT_EQ(recipients[0].original, made);
}

// Longer than RFC 5321 section 4.5.3.1.1 has it: what we made we also take.
TEST(Intake, ALongReturnAddressLeadsBackToo) {
  Fixture f;
  auto keys = std::make_shared<const rewrite::SrsKeys>("gate.example", std::vector<std::string>{"0123456789abcdef"});
  f.context.return_addresses.set(keys);
  std::string sender = "bounces+1234567-abcd-ann=nas.home.example@em1234." + std::string(60, 'x') + ".example";
  std::string made = rewrite::srs_forward(*keys, sender, f.clock.wall());
  EXPECT_GT(made.find('@'), 64u);
  f.play("EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<" + made + ">\r\n" + by_data(kHeader + "\r\n"));
  ASSERT_EQ(f.store.messages.size(), 1u);
  EXPECT_EQ(f.only().message.envelope.recipients[0].address, sender);
}

// --- The peer is lost at every step: claimed implies kept, and what is not kept leaves nothing behind.
TEST(Intake, APeerLostAtEveryStep) {
  std::string content = kHeader + "\r\n";
  while (content.size() < 5 * queue::kChunkSize / 2) content += std::string(998, 'x') + "\r\n";
  net::repeat_with_errors([&](net::ScriptStream& stream, const net::Fault*) {
    Fixture f;
    std::string written = f.play(stream, kStart + by_data(content) + "QUIT\r\n");
    bool claimed = written.find("queued as") != std::string::npos;
    if (claimed) {
      EXPECT_EQ(f.store.messages.size(), 1u);
    }
    EXPECT_TRUE(f.store.open.empty());
    EXPECT_EQ(f.scheduler.totals().messages, f.store.messages.size());
  });
}

TEST(Intake, FreshMessagesAreKeptForTheirFirstAttempt) {
  Fixture f;
  queue::ContentCache cache(32 << 20);
  f.context.cache = &cache;
  f.store.fail_at = 2;  // intern, accept, accept
  f.play(kStart + by_data(kHeader + "\r\nhello\r\n") + kStart.substr(kStart.find("MAIL")) + by_data("\r\n"));
  EXPECT_EQ(f.store.messages.size(), 1u);
  EXPECT_EQ(cache.size(), 1u);  // what is not durable is not kept
  auto content = cache.get(f.only().message.id);
  ASSERT_TRUE(content);
  EXPECT_EQ(*content->header, f.only().header);
  EXPECT_EQ(*content->body, f.only().body);
}

// --- Programs of this machine, on the submit socket

struct OfAlice : Fixture {
  OfAlice() {
    settings.name = "submit";
    settings.address = "/run/submit";
    settings.submit = true;
    peer = net::Peer{};
    peer.address = "unix";
    peer.is_unix = true;
    peer.uid = 1000;
    user = LocalUser{1000, "alice"};
  }
};

TEST(Submit, TheUserIsInTheEnvelopeAndTheTraceField) {
  OfAlice f;
  std::string written = f.play(kStart + by_data("From: root (Cron Daemon)\r\nTo: a@x, root\r\n\r\nx\r\n") + "QUIT\r\n");
  ASSERT_EQ(f.store.messages.size(), 1u) << written;
  const auto& kept = f.only();
  EXPECT_EQ(kept.message.origin.user, "alice");
  EXPECT_EQ(kept.message.origin.protocol, "ESMTP");  // not ESMTPA: nobody has logged in
  EXPECT_NE(kept.header.find("(from user alice, uid 1000)"), std::string::npos) << kept.header;
  EXPECT_NE(kept.header.find("From: root@mx.example (Cron Daemon)\r\nTo: a@x, root@mx.example\r\n"), std::string::npos);
  EXPECT_EQ(kept.message.header_size, kept.header.size());
}

TEST(Submit, OneUserMayNotTakeItAll) {
  OfAlice f;
  UserSettings settings;
  settings.programs = {.connections = 1, .messages_per_minute = 1, .suspend_factor = 0};
  f.context.users.set(settings);
  const std::string once = kStart + by_data(kHeader + "\r\nx\r\n");
  std::string written = f.play(once + once + "QUIT\r\n");
  EXPECT_EQ(f.store.messages.size(), 1u);
  EXPECT_NE(written.find("450 4.7.1"), std::string::npos) << written;
  UserAccounts::Place held;
  ASSERT_TRUE(f.context.users.enter("alice", 1, &held));
  EXPECT_TRUE(f.play(once).starts_with("421 4.7.0"));
}

}  // namespace
}  // namespace sidegate::intake::intake_test
