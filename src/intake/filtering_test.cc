// A listener with filters, from the client's command to what is kept: each verdict at each step, each kind of change,
// bodies larger than memory, and filters that fail.
#include "intake/filtering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "intake/fake_filter.h"
#include "intake/pickup.h"
#include "intake/test_house.h"

namespace sidegate::intake::filtering_test {
namespace {

using namespace std::string_literals;
using milter::OnFailure;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

milter::Settings named(const std::string& name, OnFailure on_failure = OnFailure::kTempfail) {
  return {.name = name, .address = {.path = "/run/" + name, .host = {}, .port = 0}, .on_failure = on_failure};
}

struct Fixture : LocalHouse {
  std::map<std::string, FakeFilter> filters;  // by path

  explicit Fixture(std::vector<milter::Settings> milters = {named("f")})
      : LocalHouse("gate.test", "team: bob, far@far.example\nother: root\n") {
    settings.milters = std::move(milters);
    context.dial_filter = [this](unsigned, milter::Address to, Duration) { return dial(std::move(to)); };
    for (const milter::Settings& one : settings.milters) filters[one.address.path];
  }
  net::Awaitable<Result<std::unique_ptr<net::Stream>>> dial(milter::Address to) {
    FakeFilter& filter = filters[to.path];
    if (filter.down) co_return fail(ErrorKind::kRefused, "connection refused");
    std::unique_ptr<net::Stream> link = std::make_unique<FakeFilterLink>(filter);
    co_return link;
  }
  FakeFilter& f() { return filters["/run/f"]; }
  const FakeStore::Kept& only() const {
    static const FakeStore::Kept kNone{};
    EXPECT_EQ(store.messages.size(), 1u);
    return store.messages.empty() ? kNone : store.messages.begin()->second;
  }
  std::vector<std::string> recipients_of_only() const {
    std::vector<std::string> out;
    for (const mail::Recipient& one : only().message.envelope.recipients) out.push_back(one.address);
    return out;
  }
};

const std::string kHello = "EHLO client.example\r\n";
const std::string kMail = "MAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\n";
const std::string kContent = "DATA\r\nDate: x\r\nMessage-ID: <x@y>\r\nSubject: hi\r\n\r\nwords\r\n.\r\n";
const std::string kQuit = "QUIT\r\n";

std::string last_reply(const std::string& written) {
  std::string_view text = written;
  if (text.ends_with("221 2.0.0 Bye\r\n")) text.remove_suffix(15);
  if (text.ends_with("\r\n")) text.remove_suffix(2);
  return std::string(text.substr(text.rfind('\n') + 1));
}

std::string at_end(char code, const std::string& data) {
  return FakeFilter::packet(code, data);
}
const std::string kGoOn = FakeFilter::packet('c');

TEST(Filtering, TheyHearTheWholeDialogue) {
  Fixture f;
  std::string written = f.play(kHello + kMail + "RCPT TO:<nobody@gate.test>\r\n" + kContent + kQuit);
  EXPECT_THAT(last_reply(written), HasSubstr("250 2.0.0 queued as " + f.only().message.id.text()));
  EXPECT_EQ(f.f().commands(), "CHMRTLLLNBEQ");
  EXPECT_EQ(f.f().body(), "words\r\n");
  EXPECT_THAT(f.f().said('M'), ElementsAre("<a@b.example>", "BODY=8BITMIME"));
  EXPECT_THAT(f.f().said('R'), ElementsAre("<c@d.example>"));
  EXPECT_THAT(f.f().said('L', 2), ElementsAre("Subject", "hi"));
  EXPECT_THAT(f.f().said('C'), ElementsAre("localhost",
                                           "4\x04\x01"
                                           "127.0.0.1"));
  const std::pair<const char*, std::string> macros[] = {{"j", "gate.test"},
                                                        {"i", f.only().message.id.text()},
                                                        {"daemon_name", "local"},
                                                        {"client_addr", "127.0.0.1"},
                                                        {"_", "localhost [127.0.0.1]"},
                                                        {"mail_addr", "a@b.example"},
                                                        {"rcpt_addr", "c@d.example"},
                                                        {"rcpt_host", "d.example"},
                                                        {"rcpt_mailer", "smtp"},
                                                        {"nrcpts", "1"},
                                                        {"msg_id", "<x@y>"},
                                                        {"auth_authen", "-"}};
  for (const auto& [name, value] : macros) EXPECT_EQ(f.f().macro(name), value) << name;
  EXPECT_EQ(f.f().open_links, 0u);
}

// What a filter discards is sent, as far as anybody may know.
TEST(Filtering, WhatIsDiscardedCountsAgainstTheUsersLimits) {
  for (char command : {'E', 'R', 'T'}) {
    Fixture f;
    f.user = LocalUser{1000, "bob"};
    UserSettings users;
    users.programs.recipients_per_hour = 2;
    f.context.users.set(users);
    for (int i = 0; i < 3; ++i) f.f().answers[command].push_back(at_end('d', ""));
    const std::string all = kMail + kContent;
    const std::string written =
        f.play(kHello + all + all + "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n" + kQuit);
    EXPECT_THAT(last_reply(written), StartsWith("452 4.5.3 Limit of 2 recipients an hour")) << command << written;
    EXPECT_TRUE(f.store.messages.empty()) << command;
  }
}

TEST(Filtering, TheyAreToldOfTls) {
  Fixture f;
  auto policy = ListenerPolicy::make(f.settings).value();
  Intake intake(f.context, policy, 0);
  auto talk = [](Intake* to, net::Peer peer) -> net::Awaitable<void> {
    smtp::SessionInfo session;
    session.peer = peer;
    session.helo = "x.example";
    auto facts = std::make_shared<smtp::TlsFacts>();
    facts->version = "TLSv1.3";
    facts->cipher = "TLS_AES_256_GCM_SHA384";
    facts->bits = 256;
    session.tls_facts = std::move(facts);
    (void)co_await to->connected(session);
    (void)co_await to->hello(session);
  };
  net::run_script(talk(&intake, f.peer));
  EXPECT_EQ(f.f().macro("tls_version"), "TLSv1.3");
  EXPECT_EQ(f.f().macro("cipher_bits"), "256");
}

// XCLIENT: whom the front names comes to them as a new client.
TEST(Filtering, TheyMeetWhomAFrontNames) {
  Fixture f;
  auto policy = ListenerPolicy::make(f.settings).value();
  Intake intake(f.context, policy, 0);
  auto talk = [](Intake* to) -> net::Awaitable<void> {
    smtp::SessionInfo session;
    session.peer.address = "192.0.2.1";
    session.helo = "front.example";
    co_await to->meet(session);
    (void)co_await to->connected(session);
    (void)co_await to->hello(session);
    session.peer.address = "198.51.100.7";
    co_await to->meet(session);
    (void)co_await to->connected(session);
  };
  net::run_script(talk(&intake));
  EXPECT_EQ(f.f().commands(), "CHQC");
  EXPECT_THAT(f.f().said('C', 1).back(), EndsWith("198.51.100.7"));
  EXPECT_EQ(f.f().open_links, 1u);
}

TEST(Filtering, TheyHearOfRset) {
  Fixture f;
  f.play(kHello + kMail + "RSET\r\nNOOP\r\nFOO\r\n" + kQuit);
  EXPECT_EQ(f.f().commands(), "CHMRAUQ");
}

TEST(Filtering, NoneWhereNoneIsConfigured) {
  Fixture f(std::vector<milter::Settings>{});
  EXPECT_THAT(last_reply(f.play(kHello + kMail + kContent + kQuit)), StartsWith("250 2.0.0 queued"));
  EXPECT_TRUE(f.filters.empty());
}

TEST(Filtering, TheirVerdictsReachTheClient) {
  struct {
    const char* why;
    char command;
    std::string answer;
    const char* reply;  // the last one
    std::size_t kept;
  } rows[] = {
      {"connect", 'C', at_end('r', ""), "554 5.7.1 Command rejected", 0},
      {"connect, for now", 'C', at_end('t', ""), "421 4.7.1 Service unavailable - try again later", 0},
      {"connect, its own words", 'C', at_end('y', "550 5.7.1 not you\0"s), "554 5.7.1 not you", 0},
      {"rcpt", 'R', at_end('y', "550 5.1.1 no\0"s), "554 5.5.1 No valid recipients", 0},
      {"data", 'T', at_end('y', "451 4.3.0 wait\0"s), "451 4.3.0 wait", 0},
      {"no status: one is given", 'E', at_end('y', "550 spam\0"s), "550 5.7.1 spam", 0},
      {"two lines", 'E', at_end('y', "550-5.7.1 spam\r\n550 5.7.1 really\0"s), "550 5.7.1 really", 0},
      {"a header field", 'L', at_end('r', ""), "550 5.7.1 Command rejected", 0},
      {"the body", 'B', at_end('t', ""), "451 4.7.1 Service unavailable - try again later", 0},
      {"the end", 'E', at_end('r', ""), "550 5.7.1 Command rejected", 0},
      {"accepted early", 'M', at_end('a', ""), "250 2.0.0 queued as ", 1},
      {"thrown away", 'E', at_end('d', ""), "250 2.0.0 queued as ", 0},
      {"thrown away early", 'R', at_end('d', ""), "250 2.0.0 queued as ", 0},
      {"the client is to go", 'E', at_end('4', ""), "421 4.7.0 Server closing connection", 0},
  };
  for (const auto& row : rows) {
    Fixture f;
    f.f().answers[row.command] = {row.answer};
    std::string written = f.play(kHello + kMail + kContent + kQuit);
    // DATA was refused: what follows it is no command.
    const bool no_data = row.command == 'T' || row.command == 'R';
    EXPECT_THAT(no_data && row.kept == 0 && row.reply[0] != '2' ? written : last_reply(written), HasSubstr(row.reply))
        << row.why;
    EXPECT_EQ(f.store.messages.size(), row.kept) << row.why;
    EXPECT_TRUE(f.store.open.empty()) << row.why;
    EXPECT_EQ(f.f().open_links, 0u) << row.why;
  }
}

TEST(Filtering, ARefusedNameLeavesTheSessionWhereItWas) {
  Fixture f;
  f.f().answers['H'] = {at_end('y', "550 5.7.1 bad name\0"s)};
  std::string written = f.play(kHello + "MAIL FROM:<a@b.example>\r\n" + kQuit);
  EXPECT_THAT(written, HasSubstr("550 5.7.1 bad name\r\n503 5.5.1 Send EHLO or HELO first"));
}

TEST(Filtering, AnUnknownCommandIsTold) {
  Fixture f;
  f.f().answers['U'] = {kGoOn, at_end('y', "502 5.5.1 not here\0"s)};
  std::string written = f.play(kHello + "FOO bar\r\nBAR\r\n" + kQuit);
  EXPECT_THAT(written, HasSubstr("500 5.5.2 Command not recognised\r\n502 5.5.1 not here"));
  EXPECT_THAT(f.f().said('U'), ElementsAre("FOO bar"));
}

TEST(Filtering, ARefusedRecipientIsOneRecipient) {
  Fixture f;
  f.f().protocol = milter::protocol::kRejectedRcpt;
  f.f().answers['R'] = {kGoOn, at_end('r', ""), kGoOn};
  f.play(kHello + "MAIL FROM:<a@b.example>\r\nRCPT TO:<team@gate.test>\r\nRCPT TO:<other@gate.test>\r\n" +
         "RCPT TO:<nobody@gate.test>\r\n" + kContent + kQuit);
  EXPECT_THAT(f.recipients_of_only(), ElementsAre("bob@gate.test", "far@far.example"));
  EXPECT_EQ(f.f().macro("rcpt_mailer"), "error");
}

TEST(Filtering, EndedTransactionsAreTold) {
  Fixture f;
  f.play(kHello + kMail + "RSET\r\n" + kMail + kContent + kMail + kQuit);
  EXPECT_EQ(f.f().commands(), "CHMRAMRTLLLNBEMRAQ");
  EXPECT_EQ(f.f().links, 1u);
}

TEST(Filtering, ChangesAreKept) {
  Fixture f({named("f"), named("g")});
  f.f().answers['E'] = {at_end('i', "\0\0\0\1X-Spam\0yes\0"s) + at_end('m', "\0\0\0\1Subject\0[spam] hi\0"s) +
                        at_end('e', "<new@sender.example>\0"s) + at_end('b', "other\nwords") +
                        at_end('b', " caf\xc3\xa9") + kGoOn};
  f.filters["/run/g"].answers['E'] = {at_end('h', "X-Second\0 1\r\nBcc: evil\0"s) + kGoOn};
  f.play(kHello + kMail + kContent + kQuit);
  const FakeStore::Kept& kept = f.only();
  EXPECT_THAT(
      kept.header,
      HasSubstr(
          "X-Spam: yes\r\nDate: x\r\nMessage-ID: <x@y>\r\nSubject: [spam] hi\r\nX-Second:  1\r\n\tBcc: evil\r\n"));
  EXPECT_THAT(kept.header, StartsWith("Received: from client.example"));
  EXPECT_EQ(kept.body, "\r\nother\r\nwords caf\xc3\xa9\r\n");
  EXPECT_EQ(kept.message.header_size, kept.header.size());
  EXPECT_EQ(kept.message.body_size, kept.body.size());
  EXPECT_EQ(kept.message.chunks, 1u);
  EXPECT_TRUE(kept.message.eight_bit_body);
  EXPECT_EQ(kept.message.envelope.reverse_path, "new@sender.example");
  EXPECT_EQ(f.filters["/run/g"].body(), "other\r\nwords caf\xc3\xa9\r\n");
}

TEST(Filtering, RecipientsTheyChooseAreResolvedAsRcptDoes) {
  struct {
    const char* why;
    std::string edits;
    std::vector<std::string> recipients;  // none: the message is not kept
    const char* reply;
  } rows[] = {
      {"added: an alias",
       at_end('+', "<other@gate.test>\0"s),
       {"bob@gate.test", "far@far.example", "root@gate.test"},
       "250"},
      {"added: anywhere",
       at_end('2', "<x@world.example>\0NOTIFY=NEVER\0"s),
       {"bob@gate.test", "far@far.example", "x@world.example"},
       "250"},
      {"taken away", at_end('-', "<team@gate.test>\0"s) + at_end('+', "<bob@gate.test>\0"s), {"bob@gate.test"}, "250"},
      {"all taken away", at_end('-', "team@gate.test\0"s), {}, "250 2.0.0 queued as "},
      {"added: nobody", at_end('+', "<nobody@gate.test>\0"s), {}, "451 4.3.0"},
      {"added: no address", at_end('+', "<a b@c>\0"s), {}, "451 4.3.0"},
  };
  for (const auto& row : rows) {
    Fixture f;
    f.f().answers['E'] = {row.edits + kGoOn};
    std::string written = f.play(kHello + "MAIL FROM:<a@b.example>\r\nRCPT TO:<team@gate.test>\r\n" + kContent + kQuit);
    EXPECT_THAT(last_reply(written), StartsWith(row.reply)) << row.why;
    ASSERT_EQ(f.store.messages.empty(), row.recipients.empty()) << row.why;
    if (!row.recipients.empty()) EXPECT_EQ(f.recipients_of_only(), row.recipients) << row.why;
  }
}

TEST(Filtering, ABadSenderIsLeftOut) {
  Fixture f;
  f.f().answers['E'] = {at_end('e', "<no address\r\nat all>\0"s) + kGoOn};
  f.play(kHello + kMail + kContent + kQuit);
  EXPECT_EQ(f.only().message.envelope.reverse_path, "a@b.example");
}

TEST(Filtering, QuarantineHolds) {
  Fixture f;
  f.f().answers['E'] = {at_end('q', "virus: EICAR\0"s) + kGoOn};
  EXPECT_THAT(last_reply(f.play(kHello + kMail + kContent + kQuit)), StartsWith("250 2.0.0 queued"));
  EXPECT_TRUE(f.only().due.at(0).held);
  EXPECT_EQ(f.scheduler.totals().held, 1u);
  ASSERT_EQ(f.store.outcomes.size(), 1u);
  EXPECT_EQ(f.store.outcomes[0].attempt->reply, "virus: EICAR");
}

// --- Bodies larger than memory

std::string lines(std::size_t octets, char c) {
  std::string out;
  while (out.size() < octets) out += std::string(70, c) + "\r\n";
  return out;
}

struct Large : Fixture {
  using Fixture::Fixture;
  std::string body = lines(700'000, 'x');
  std::string send() {
    return play(kHello + kMail + "DATA\r\nDate: x\r\nMessage-ID: <x@y>\r\n\r\n" + body + ".\r\n" + kQuit);
  }
  // In pieces of 64 KiB, as libmilter sends it.
  static std::string replaced(const std::string& by) {
    std::string packets;
    for (std::size_t at = 0; at < by.size(); at += 65'535) packets += at_end('b', by.substr(at, 65'535));
    return packets;
  }
};

TEST(Filtering, ALargeBodyIsReadFromTheStore) {
  Large f;
  f.send();
  EXPECT_EQ(f.f().body(), f.body);
  EXPECT_EQ(f.only().body, "\r\n" + f.body);
}

TEST(Filtering, ALargeBodyIsReplaced) {
  for (std::size_t size :
       {std::size_t{0}, std::size_t{100}, queue::kChunkSize - 2, queue::kChunkSize - 1, std::size_t{900'000}}) {
    Large f({named("f"), named("g")});
    std::string other = lines(size, 'y');
    other.resize(std::min(other.size(), size));
    f.f().answers['E'] = {(size == 0 ? at_end('b', "") : Large::replaced(other)) + kGoOn};
    f.send();
    if (!other.empty() && !other.ends_with("\r\n")) other += other.ends_with('\r') ? "\n" : "\r\n";
    EXPECT_EQ(f.only().body, "\r\n" + other) << size;
    EXPECT_EQ(f.only().message.body_size, other.size() + 2) << size;
    EXPECT_EQ(f.filters["/run/g"].body(), other) << size;
    EXPECT_TRUE(f.store.open.empty());
  }
}

TEST(Filtering, LinesOfANewBodyEndWithCrlfHoweverItComes) {
  const std::pair<std::string, std::string> rows[] = {
      {"a", "a\r\n"},         {"a\n", "a\r\n"},        {"a\r\n", "a\r\n"},
      {"a\r", "a\r\n"},       {"a\rb", "a\r\nb\r\n"},  {"a\r\r\nb", "a\r\n\r\nb\r\n"},
      {"a\0b"s, "ab\r\n"},    {"\r\0\n"s, "\r\n\r\n"}, {"a\n\n", "a\r\n\r\n"},
      {"\n.\n", "\r\n.\r\n"},
  };
  for (const auto& [given, kept] : rows) {
    for (std::size_t step : {std::size_t{1}, given.size()}) {
      Fixture f;
      std::string pieces;
      for (std::size_t at = 0; at < given.size(); at += step) pieces += at_end('b', given.substr(at, step));
      f.f().answers['E'] = {pieces + kGoOn};
      f.play(kHello + kMail + kContent + kQuit);
      EXPECT_EQ(f.only().body, "\r\n" + kept) << printable(given) << step;
    }
  }
}

TEST(Filtering, AFilterThatDiesWhileItReplacesTheBodyChangesNothing) {
  for (bool small : {true, false}) {
    Large f({named("f", OnFailure::kAccept), named("g")});
    if (small) f.body = "words\r\n";
    f.f().answers['E'] = {at_end('h', "X\0y\0"s) + Large::replaced(lines(600'000, 'y')) + "\0\0\0\0"s};
    EXPECT_THAT(last_reply(f.send()), StartsWith("250"));
    EXPECT_EQ(f.only().body, "\r\n" + f.body);
    EXPECT_THAT(f.only().header, Not(HasSubstr("X: y")));
    EXPECT_EQ(f.filters["/run/g"].body(), f.body);
    EXPECT_EQ(f.only().message.generation, 0u);
  }
}

TEST(Filtering, ARefusedLargeMessageLeavesNothing) {
  for (bool small : {true, false}) {
    Large f;
    if (small) f.body = "words\r\n";
    f.f().answers['E'] = {Large::replaced(lines(600'000, 'y')) + at_end('r', "")};
    EXPECT_THAT(last_reply(f.send()), StartsWith("550"));
    EXPECT_TRUE(f.store.open.empty());
    EXPECT_TRUE(f.store.messages.empty());
    EXPECT_EQ(f.store.calls.back(), "discard");
  }
}

TEST(Filtering, TheStoresTroubleIsNotTheFilters) {
  for (std::size_t fail_at = 0; fail_at < 8; ++fail_at) {
    Large f({named("f", OnFailure::kAccept)});
    f.store.fail_at = fail_at;
    f.f().answers['E'] = {Large::replaced(lines(600'000, 'y')) + kGoOn};
    std::string reply = last_reply(f.send());
    if (f.store.messages.empty()) {
      EXPECT_THAT(reply, StartsWith("451 4.3.0")) << fail_at;
    } else {
      EXPECT_THAT(reply, StartsWith("250")) << fail_at;
      EXPECT_EQ(f.only().body, "\r\n" + lines(600'000, 'y')) << fail_at;
    }
    EXPECT_TRUE(f.store.open.empty()) << fail_at;
  }
}

// --- Filters that fail

TEST(Filtering, FailureIsAsTheOperatorSays) {
  for (OnFailure policy : {OnFailure::kTempfail, OnFailure::kAccept, OnFailure::kQuarantine}) {
    for (char at : std::string("-OCHMRTLNBE")) {
      for (bool hangs : {true, false}) {
        Fixture f({named("f", policy)});
        f.f().down = at == '-';
        (hangs ? f.f().hangs_at : f.f().closes_at) = at;
        std::string written = f.play(kHello + kMail + kContent + kQuit);
        const std::string what = std::string(1, at) + (hangs ? " hangs" : " closes");
        if (policy == OnFailure::kTempfail) {
          EXPECT_THAT(written, HasSubstr("451 4.7.1 Service unavailable")) << what;
          EXPECT_TRUE(f.store.messages.empty()) << what;
        } else {
          EXPECT_THAT(last_reply(written), StartsWith("250 2.0.0 queued")) << what;
          EXPECT_EQ(f.only().due.at(0).held, policy == OnFailure::kQuarantine) << what;
        }
        EXPECT_EQ(f.f().open_links, 0u) << what;
        const auto down = f.context.filter_health.down();
        ASSERT_EQ(down.size(), 1u) << what;
        EXPECT_EQ(down[0].name, "f");
      }
    }
  }
}

TEST(Filtering, AFilterThatIsBackIsUp) {
  Fixture f;
  f.f().down = true;
  EXPECT_THAT(f.play(kHello + kMail + kQuit), HasSubstr("451 4.7.1"));
  EXPECT_EQ(f.context.filter_health.down().size(), 1u);
  f.f().down = false;
  EXPECT_THAT(last_reply(f.play(kHello + kMail + kContent + kQuit)), StartsWith("250 2.0.0 queued"));
  EXPECT_TRUE(f.context.filter_health.down().empty());
}

TEST(Filtering, TheEndOfTheServerWaitsForNone) {
  Fixture f({named("f", OnFailure::kAccept)});
  auto policy = ListenerPolicy::make(f.settings).value();
  Intake intake(f.context, policy, 0, {});
  smtp::SessionInfo session;
  session.peer = f.peer;
  session.helo = "client.example";
  EXPECT_EQ(net::run_script(intake.connected(session)).code, 220);
  intake.cancel();
  smtp::MailCommand from;
  from.path.is_null = true;
  EXPECT_EQ(net::run_script(intake.mail(session, from)).code, 451);
  net::run_script(intake.ended());
  EXPECT_TRUE(f.context.filter_health.down().empty());
}

// --- What programs send

TEST(Filtering, WhatWasDroppedIsFilteredToo) {
  Fixture f;
  net::Loop loop{0, f.clock, null_log()};
  f.context.workers = &f.workers;
  f.settings.name = "submit";
  f.settings.address = "/";
  f.settings.submit = true;
  f.f().answers['E'] = {at_end('h', "X-Seen\0 1\0"s) + kGoOn};
  std::filesystem::create_directories(f.folder + "/drop/bad");
  const std::string text = "Subject: x\r\n\r\nwords\r\n", file = f.folder + "/drop/0000000000000000-0123456789abcdef";
  std::ofstream(file, std::ios::binary) << "sidegate-drop 1\nuid " << ::geteuid() << "\ntime "
                                        << f.clock.wall().time_since_epoch().count() / 1000
                                        << "\nfrom me\nto b@far.example\nmessage " << text.size() << "\n"
                                        << text;
  ::chmod(file.c_str(), 0640);
  Pickup pickup(loop, f.context, f.workers, f.folder + "/drop", ListenerPolicy::make(f.settings).value());
  net::run_script(pickup.once());
  EXPECT_THAT(f.only().header, HasSubstr("X-Seen:  1\r\n"));
  EXPECT_EQ(f.f().commands().substr(0, 5), "CHMRT");
  EXPECT_EQ(f.f().macro("client_addr"), "127.0.0.1");
  EXPECT_EQ(f.f().said('H').at(0), "gate.test");
  EXPECT_EQ(f.f().open_links, 0u);
}

}  // namespace
}  // namespace sidegate::intake::filtering_test
