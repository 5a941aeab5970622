// What a user who has logged in may do, through a whole Intake: whose addresses, how much, and what is given back.
#include "intake/submitter.h"

#include <gtest/gtest.h>

#include "intake/notice.h"
#include "intake/test_house.h"
#include "rewrite/srs.h"

namespace sidegate::intake::submitter_test {
namespace {

using namespace std::chrono_literals;

struct Said {
  mail::Reply mail, rcpt, data;
  // The first refusal, or the reply to the content.
  const mail::Reply& last() const { return !mail.positive() ? mail : !rcpt.positive() ? rcpt : data; }
};

struct Submission : LocalHouse {
  UserSettings users;
  std::shared_ptr<const ListenerPolicy> policy;

  explicit Submission(Log& log = null_log())
      : LocalHouse("gate.test", "info: bob\nteam: bob, root\nlist: x@far.example\nbroken: :include:/nowhere\n",
                   "sales@virtual.example bob\n", log) {
    settings.profile = Profile::kSubmission;
    settings.add_missing_headers = true;
    policy = ListenerPolicy::make(settings).value();
    sources.users = {"root", "bob", "ann"};
  }
  void apply() { context.users.set(users); }
  UserRules& rule(const std::string& name) {
    users.some.push_back(users.everybody);
    users.some.back().name = name;
    return users.some.back();
  }

  smtp::SessionInfo session_of(const std::string& user) {
    smtp::SessionInfo session;
    session.peer = peer;
    session.listener = "submission";
    session.esmtp = session.tls = true;
    session.user = user;
    return session;
  }
  static mail::Path path(const std::string& address) {
    mail::Path path;
    path.is_null = address.empty();
    if (!address.empty()) path.mailbox = mail::Mailbox::parse(address, true).value();
    return path;
  }
  static net::Awaitable<void> talk(Intake* intake, smtp::SessionInfo session, std::string from, unsigned recipients,
                                   std::string content, Said* said) {
    smtp::MailCommand mail;
    mail.path = path(from);
    said->mail = co_await intake->mail(session, std::move(mail));
    if (!said->mail.positive()) co_return;
    for (unsigned n = 0; n < recipients; ++n) {
      smtp::RcptCommand rcpt;
      rcpt.path = path("r" + std::to_string(n) + "@far.example");
      said->rcpt = co_await intake->rcpt(session, std::move(rcpt));
      if (!said->rcpt.positive()) break;
    }
    if (!said->rcpt.positive()) {
      intake->abort();
      co_return;
    }
    said->data = co_await intake->begin(session);
    if (!said->data.positive()) {
      intake->abort();
      co_return;
    }
    co_await intake->content(content);
    const smtp::ContentFacts facts{false, 78};
    said->data = co_await intake->end(session, facts);
  }
  Said send(const std::string& user, const std::string& from, const std::string& header, unsigned recipients = 1) {
    apply();
    Intake intake(context, policy, 0);
    smtp::SessionInfo session = session_of(user);
    EXPECT_FALSE(intake.logged_in(session));
    Said said;
    net::run_script(talk(&intake, session, from, recipients, header + "\r\nhello\r\n", &said));
    return said;
  }
  std::string sent_header() const { return store.messages.rbegin()->second.header; }
  std::string sent_from() const { return store.messages.rbegin()->second.message.envelope.reverse_path; }
};

TEST(Submitter, WhoseAddressItIs) {
  struct {
    const char* why;
    const char* user;
    const char *from, *header_from;
    int code;  // with foreign_sender = "reject"
  } cases[] = {
      {"his name at a domain of ours", "bob", "bob@gate.test", "Bob <bob@gate.test>", 250},
      {"with a tag", "bob", "bob+shop@gate.test", "bob+news@gate.test", 250},
      {"an alias that leads to him alone", "bob", "info@gate.test", "info@gate.test", 250},
      {"so does a virtual address", "bob", "sales@virtual.example", "sales@virtual.example", 250},
      {"an alias that leads to others too", "bob", "team@gate.test", "bob@gate.test", 553},
      {"an alias that leads elsewhere", "bob", "list@gate.test", "bob@gate.test", 553},
      {"somebody else here", "bob", "ann@gate.test", "bob@gate.test", 553},
      {"nobody", "bob", "nobody@gate.test", "bob@gate.test", 553},
      {"somebody elsewhere", "bob", "boss@bank.example", "bob@gate.test", 553},
      {"somebody else's alias", "ann", "info@gate.test", "ann@gate.test", 553},
      {"From names somebody else", "bob", "bob@gate.test", "Boss <boss@bank.example>", 550},
      {"one of several", "bob", "bob@gate.test", "bob@gate.test, boss@bank.example", 550},
      {"unreadable", "bob", "bob@gate.test", "<", 550},
      {"a name alone is his here", "bob", "bob@gate.test", "bob", 250},
      {"another name alone", "bob", "bob@gate.test", "ann", 550},
      {"a display name is no address", "bob", "bob@gate.test", "\"boss@bank.example\" <bob@gate.test>", 250},
      {"null: RFC 6409 section 3.2", "bob", "", "bob@gate.test", 250},
      {"null, and From of somebody else", "bob", "", "boss@bank.example", 550},
      {"an address is the user's name", "t@far.example", "t@far.example", "t@far.example", 250},
      {"and no more than that", "t@far.example", "t@gate.test", "t@far.example", 553},
      {"broken alias: our trouble", "bob", "broken@gate.test", "bob@gate.test", 451},
  };
  for (const auto& c : cases) {
    Submission f;
    f.users.everybody.foreign_sender = ForeignSender::kReject;
    Said said = f.send(c.user, c.from, std::string("From: ") + c.header_from + "\r\n");
    EXPECT_EQ(said.last().code, c.code) << c.why << ": " << said.last().line();
    EXPECT_EQ(f.store.messages.size(), c.code == 250 ? 1u : 0u) << c.why;
    if (c.code >= 550) EXPECT_NE(said.last().text().find(c.user), std::string::npos) << said.last().line();
  }
}

// Where a line that is no field ends the header block for us, a mail program may read on.
TEST(Submitter, ABrokenHeaderHidesNobody) {
  for (const char* header : {"Subject: x\r\ngarbage\r\nFrom: ceo@bank.example\r\n",
                             "From: bob@gate.test\r\ngarbage\r\nFrom: ceo@bank.example\r\n",
                             "From bob Mon Jan 1 00:00:00 2026\r\nFrom: ceo@bank.example\r\n",
                             "From: ceo@bank.example\r\ngarbage\r\n", "only words\r\n"}) {
    for (ForeignSender policy : {ForeignSender::kReject, ForeignSender::kRewrite, ForeignSender::kWarn}) {
      Submission f;
      f.users.everybody.foreign_sender = policy;
      EXPECT_EQ(f.send("bob", "bob@gate.test", header).last().code, policy == ForeignSender::kWarn ? 250 : 550)
          << header;
      EXPECT_EQ(f.store.messages.size(), policy == ForeignSender::kWarn ? 1u : 0u) << header;
    }
  }
}

TEST(Submitter, OneLineTellsOfAField) {
  CapturedLog captured;
  Submission f(captured.log());
  std::string from = "From: bob@gate.test";
  for (int i = 0; i < 99; ++i) from += ",\r\n x" + std::to_string(i) + "@bank.example";
  EXPECT_EQ(f.send("bob", "bob@gate.test", from + "\r\nSender: y@bank.example\r\n").last().code, 250);
  const auto lines = captured.lines("foreign_sender");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("x0@bank.example"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("y@bank.example"), std::string::npos) << lines[1];
}

TEST(Submitter, AReturnAddressOfOursIsWhoseItStandsFor) {
  Submission f;
  f.users.everybody.foreign_sender = ForeignSender::kReject;
  auto keys = std::make_shared<rewrite::SrsKeys>();
  keys->domain = "gate.test";
  keys->secrets = {"secret"};
  f.context.return_addresses.set(keys);
  const std::string own = rewrite::srs_forward(*keys, "t@far.example", f.clock.wall());
  EXPECT_EQ(f.send("t@far.example", own, "From: t@far.example\r\n").last().code, 250);
  EXPECT_EQ(f.send("bob", own, "From: bob@gate.test\r\n").last().code, 553);
  EXPECT_EQ(f.send("t@far.example", "SRS0=xxxx=AB=far.example=t@gate.test", "").last().code, 553);
}

TEST(Submitter, TheDefaultRefusesWhereSendersAreListed) {
  Submission f;
  f.rule("ann").senders = {"info@example.org"};
  EXPECT_EQ(f.send("bob", "boss@bank.example", "From: boss@bank.example\r\n").last().code, 250);
  EXPECT_EQ(f.sent_from(), "boss@bank.example");
  EXPECT_EQ(f.send("ann", "boss@bank.example", "").last().code, 553);
  EXPECT_EQ(f.send("ann", "info@example.org", "From: Info <info@example.org>\r\n").last().code, 250);
  EXPECT_EQ(f.send("ann", "ann@gate.test", "From: ann@gate.test\r\nSender: boss@bank.example\r\n").last().code, 550);
}

TEST(Submitter, RewritesTheEnvelopeAndTheHeader) {
  Submission f;
  UserRules& rules = f.rule("ann");
  rules.senders = {"@example.org", "info@example.org"};
  rules.foreign_sender = ForeignSender::kRewrite;
  ASSERT_EQ(f.send("ann", "boss@bank.example", "From: Boss <boss@bank.example>\r\nSender: x@y.example\r\n").last().code,
            250);
  EXPECT_EQ(f.sent_from(), "info@example.org");
  const std::string header = f.sent_header();
  EXPECT_NE(header.find("\r\nFrom: Boss <info@example.org>\r\n"), std::string::npos) << header;
  EXPECT_NE(header.find("Reply-To: Boss <boss@bank.example>\r\n"), std::string::npos) << header;
  EXPECT_EQ(header.find("\r\nSender:"), std::string::npos) << header;
  // What is his own stays as it is, octet for octet.
  ASSERT_EQ(f.send("ann", "any@example.org", "From: ann@gate.test\r\n").last().code, 250);
  EXPECT_EQ(f.sent_from(), "any@example.org");
  EXPECT_NE(f.sent_header().find("\r\nFrom: ann@gate.test\r\n"), std::string::npos);
  EXPECT_EQ(f.sent_header().find("Reply-To"), std::string::npos);
  ASSERT_EQ(f.send("ann", "", "From: boss@bank.example\r\n").last().code, 250);
  EXPECT_EQ(f.sent_from(), "");
  EXPECT_NE(f.sent_header().find("<info@example.org>\r\n"), std::string::npos) << f.sent_header();
}

TEST(Submitter, WhatComesToNothingIsGivenBack) {
  Submission f;
  f.users.everybody.messages_per_hour = 2;
  f.users.everybody.recipients_per_hour = 3;
  f.users.everybody.bytes_per_day = 5000;
  const std::string header = "From: bob@gate.test\r\n";
  EXPECT_EQ(f.send("bob", "bob@gate.test", header, 4).last().line().substr(0, 9), "452 4.5.3");  // aborted
  f.store.fail_all = "accept";
  EXPECT_EQ(f.send("bob", "bob@gate.test", header, 3).last().code, 451);
  f.store.fail_all.clear();
  EXPECT_EQ(f.send("bob", "bob@gate.test",
                   header + "X: " + std::string(900, 'x') + "\r\n" + "Y: " + std::string(6000, 'y') + "\r\n")
                .last()
                .line()
                .substr(0, 9),
            "552 5.3.4");
  EXPECT_EQ(f.send("bob", "bob@gate.test", header, 3).last().code, 250);
  EXPECT_EQ(f.send("bob", "bob@gate.test", header, 1).last().line().substr(0, 9), "452 4.5.3");
  f.users.everybody.recipients_per_hour = 0;
  EXPECT_EQ(f.send("bob", "bob@gate.test", header).last().code, 250);
  EXPECT_EQ(f.send("bob", "bob@gate.test", header).last().line().substr(0, 9), "450 4.7.1");
  EXPECT_EQ(f.send("ann", "ann@gate.test", "From: ann@gate.test\r\n").last().code, 250);
  f.clock.advance(66min);
  EXPECT_EQ(f.send("bob", "bob@gate.test", header).last().code, 250);
  const auto standings = f.context.users.standings();
  const auto bob = std::ranges::find(standings, "bob", &UserStanding::name);
  ASSERT_NE(bob, standings.end());
  for (const UsedLimit& used : bob->used) {
    if (used.limit.kind == quota::Kind{quota::Measure::kMessages, quota::Span::kDay}) EXPECT_EQ(used.used, 3u);
    if (used.limit.kind == quota::Kind{quota::Measure::kRecipients, quota::Span::kDay}) EXPECT_EQ(used.used, 5u);
  }
}

TEST(Submitter, TheRowIsWrittenBeforeItsMessage) {
  Submission f;
  ASSERT_TRUE(f.context.users.load(f.store));
  ASSERT_EQ(f.send("bob", "bob@gate.test", "From: bob@gate.test\r\n", 2).last().code, 250);
  auto row = quota::decode(f.store.kept_notes["user/bob"], user_plan(), f.clock.steady(), f.clock.wall());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->counters.count({quota::Measure::kRecipients, quota::Span::kHour}, f.clock.steady()), 2u);
  // Programs without limits leave no row.
  f.user = LocalUser{0, "root"};
  f.settings.profile = Profile::kLocal;
  f.play("EHLO x\r\nMAIL FROM:<root@gate.test>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n\r\n.\r\nQUIT\r\n");
  EXPECT_EQ(f.store.messages.size(), 2u);
  EXPECT_FALSE(f.store.kept_notes.contains("user/root"));
}

TEST(Submitter, ABurstIsStoppedAtItsMessage) {
  Submission f;
  f.users.everybody.suspend_floor = 5;
  const std::string header = "From: bob@gate.test\r\n";
  EXPECT_EQ(f.send("bob", "bob@gate.test", header, 5).last().code, 250);
  Said said = f.send("bob", "bob@gate.test", header, 1);
  EXPECT_EQ(said.data.line().substr(0, 9), "450 4.7.1") << said.last().line();
  EXPECT_NE(said.data.text().find("suspended for bob"), std::string::npos);
  EXPECT_EQ(f.store.messages.size(), 1u);
  EXPECT_EQ(f.send("bob", "bob@gate.test", header).mail.code, 450);
  EXPECT_EQ(f.send("ann", "ann@gate.test", "From: ann@gate.test\r\n").last().code, 250);
  // The postmaster's message goes through the same intake, and no rule holds for it.
  auto untold = f.context.users.untold();
  ASSERT_EQ(untold.size(), 1u);
  Notice notice = suspension_notice("root@gate.test", untold[0].first, untold[0].second, "gate.test");
  Status posted = fail(ErrorKind::kInternal, "not asked");
  f.settings.submit = true;
  f.settings.profile = Profile::kLocal;
  auto submit = ListenerPolicy::make(f.settings).value();
  net::run_script([](IntakeContext* context, std::shared_ptr<const ListenerPolicy> policy, Notice text,
                     Status* status) -> net::Awaitable<void> {
    *status = co_await post_notice(*context, std::move(policy), 0, std::move(text));
  }(&f.context, submit, std::move(notice), &posted));
  ASSERT_TRUE(posted) << posted.error().text;
  EXPECT_EQ(f.sent_from(), "");
  EXPECT_NE(f.sent_header().find("Subject: User suspended: bob\r\n"), std::string::npos) << f.sent_header();
  EXPECT_NE(f.store.messages.rbegin()->second.body.find("sidegate user resume bob"), std::string::npos);
}

// The password was changed meanwhile, and who knew the old one may be logged in still.
TEST(Submitter, AnOldLoginDoesNotOutliveASuspension) {
  Submission f;
  f.apply();
  Intake intake(f.context, f.policy, 0);
  const smtp::SessionInfo session = f.session_of("bob");
  EXPECT_FALSE(intake.logged_in(session));
  const auto send = [&] {
    Said said;
    net::run_script(Submission::talk(&intake, session, "bob@gate.test", 1, "From: bob@gate.test\r\n\r\n\r\n", &said));
    return said.last().line();
  };
  EXPECT_TRUE(send().starts_with("250 "));
  ASSERT_TRUE(f.context.users.suspend("bob", ""));
  EXPECT_TRUE(send().starts_with("450 4.7.1 "));
  ASSERT_TRUE(f.context.users.resume("bob"));
  EXPECT_TRUE(send().starts_with("421 4.7.0 ")) << send();
  EXPECT_FALSE(intake.logged_in(session));
  EXPECT_TRUE(send().starts_with("250 "));
}

TEST(Submitter, ConnectionsOfOneUser) {
  Submission f;
  f.users.everybody.connections = 1;
  f.apply();
  Intake first(f.context, f.policy, 0), second(f.context, f.policy, 0), third(f.context, f.policy, 0);
  EXPECT_FALSE(first.logged_in(f.session_of("bob")));
  auto refusal = second.logged_in(f.session_of("Bob"));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, 421);
  EXPECT_FALSE(third.logged_in(f.session_of("ann")));
}

}  // namespace
}  // namespace sidegate::intake::submitter_test
