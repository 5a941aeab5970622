// What becomes of strangers' mail, through whole sessions.
#include "intake/screening.h"

#include <gtest/gtest.h>

#include "intake/test_house.h"
#include "screen/table_asker.h"

namespace sidegate::intake::screening_test {
namespace {

using screen::Action;

struct World : House {
  net::Loop loop{0, clock, null_log()};
  screen::TableAsker asker;
  smtp::SessionInfo last;

  explicit World(Log& log = null_log()) : House("mx.example", log) {
    settings.name = "world";
    settings.address = "0.0.0.0";
    settings.profile = Profile::kSmtp;
    settings.screen.client_names = true;
    settings.screen.blocklists = true;
    settings.screen.helo_checks = {"syntax", "own_name", "not_qualified"};
    peer = {.address = "192.0.2.1", .port = 1025};
    context.asker = &asker;
    context.loop = [this](unsigned) -> net::Loop& { return loop; };
    std::vector<RelayDomainSettings> domains = {{"d.example", RecipientCheck::kAny}};
    context.relay_domains.set(std::make_shared<const RelayDomains>(domains, "+"));
    asker.table = {{"192.0.2.1 PTR", {"client.example"}},
                   {"client.example A", {"192.0.2.1"}},
                   {"b.example MX", {"10 client.example"}}};
  }
  void lists(std::vector<screen::BlockListSettings> blocks) {
    std::vector<screen::BlockList> all;
    for (const auto& block : blocks) all.push_back(*screen::BlockList::make(block));
    context.block_lists.set(std::make_shared<screen::BlockLists>(std::move(all), clock, null_log()));
  }
  // As Service does it.
  static net::Awaitable<void> serve(World* w, net::ScriptStream* stream, std::shared_ptr<const ListenerPolicy> policy) {
    Intake intake(w->context, policy, 0);
    std::shared_ptr<const smtp::ServerSettings> smtp(policy, &policy->settings.smtp);
    smtp::SessionInfo client;
    client.peer = stream->peer();
    client.listener = policy->settings.name;
    client.may_xclient = may_xclient(client.peer, *policy);
    if (intake.admit(client)) co_await intake.meet(client);
    smtp::ServerSession session(*stream, intake, smtp, policy->settings.name);
    session.set_client(client);
    co_await session.run();
    w->last = session.client();
  }
  std::string converse(const std::string& client) {
    net::ScriptStream stream;
    if (settings.screen.early_talker != Action::kOff && !talks_early) stream.peer_stalls();
    stream.from(peer).peer_sends(client);
    loop.context().restart();
    screen::run_on(loop, serve(this, &stream, ListenerPolicy::make(settings).value()));
    return stream.written();
  }
  bool talks_early = false;
  // One message; the reply to RCPT.
  std::string rcpt(const std::string& helo = "client.example", const std::string& from = "a@b.example",
                   const std::string& to = "c@d.example") {
    const std::string written = converse("EHLO " + helo + "\r\nMAIL FROM:<" + from + ">\r\nRCPT TO:<" + to +
                                         ">\r\nDATA\r\nX-Sidegate-Screen: forged\r\nSubject: x\r\nx-sidegate-screen: "
                                         "forged\r\n\ttwice\r\n\r\nhi\r\n.\r\nQUIT\r\n");
    const std::size_t at = written.find("250 2.1.0 Ok\r\n");
    if (at == std::string::npos) return written;
    return written.substr(at + 14, written.find("\r\n", at + 14) - at - 14);
  }
  std::string header() const { return store.messages.empty() ? "" : store.messages.rbegin()->second.header; }
  std::string tag() const { return mail::field_value(header(), "X-Sidegate-Screen"); }
};

const std::string kOk = "250 2.1.5 Ok";

TEST(Screening, KnowsTheClientsName) {
  World w;
  EXPECT_EQ(w.rcpt(), kOk);
  EXPECT_NE(w.header().find("Received: from client.example (client.example [192.0.2.1])"), std::string::npos)
      << w.header();
  EXPECT_EQ(w.header().find("forged"), std::string::npos);
  EXPECT_EQ(w.tag(), "");
  EXPECT_EQ(w.last.client_name, "client.example");
  w.asker.table["client.example A"] = {"192.0.2.2"};
  w.rcpt();
  EXPECT_NE(w.header().find("Received: from client.example ([192.0.2.1])"), std::string::npos) << w.header();
  EXPECT_EQ(w.last.client_name, "");
  EXPECT_EQ(w.last.client_ptr, "client.example");
}

// Answers a moment later.
class LateAsker final : public screen::Asker {
 public:
  explicit LateAsker(net::Loop& loop) : loop_(loop), answer_(loop) {}
  net::Awaitable<screen::Found> records(net::Loop&, std::string, dns::RecordType, Duration) override {
    co_return std::vector<std::string>{"192.0.2.1"};
  }
  net::Awaitable<screen::Found> names(net::Loop&, std::string, Duration) override {
    loop_.post([this] { answer_.fire(); });
    co_await answer_.wait();
    co_return std::vector<std::string>{"client.example"};
  }

 private:
  net::Loop& loop_;
  screen::Signal answer_;
};

// A name that comes after the greeting is the log's all the same.
TEST(Screening, ALateNameIsInTheLog) {
  CapturedLog captured;
  World w(captured.log());
  w.settings.screen.greeting_delay = Duration(0);
  LateAsker late(w.loop);
  w.context.asker = &late;
  EXPECT_EQ(w.rcpt("client.example", "a@b.example", "x@elsewhere.example"), "554 5.7.1 Relay access denied");
  EXPECT_EQ(w.last.client_name, "");
  const auto refused = captured.lines("refused");
  ASSERT_FALSE(refused.empty());
  EXPECT_NE(refused[0].find("client_name=client.example"), std::string::npos) << refused[0];
}

TEST(Screening, AsksNobodyAboutFriends) {
  for (int kind = 0; kind < 3; ++kind) {
    World w;
    w.settings.screen.reverse_name = w.settings.screen.helo = w.settings.screen.sender_domain = Action::kReject;
    w.settings.screen.early_talker = Action::kOff;
    w.lists({{.zone = "l.example"}});
    w.asker.table.clear();
    w.asker.table["1.2.0.192.l.example A"] = {"127.0.0.2"};
    if (kind == 0) w.settings.networks = {"192.0.2.0/24"};
    if (kind == 1) w.peer.loopback = true;
    if (kind == 2) w.settings.networks = {"192.0.2.1"};
    EXPECT_EQ(w.rcpt("My PC", "x@none.example"), kOk) << kind;
    for (const std::string& asked : w.asker.asked) EXPECT_EQ(asked, "192.0.2.1 PTR") << kind;
  }
}

TEST(Screening, EachCheckTagsOrRejects) {
  struct {
    const char* why;
    Action screen::Settings::* check;
    std::function<void(World&)> trouble;
    const char *helo, *from;
    const char *reply, *word;
  } cases[] = {
      {"no PTR", &screen::Settings::reverse_name, [](World& w) { w.asker.table.erase("192.0.2.1 PTR"); },
       "client.example", "a@b.example",
       "550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "reverse_name=missing"},
      {"no PTR, and more is asked for", &screen::Settings::reverse_name_confirmed,
       [](World& w) { w.asker.table.erase("192.0.2.1 PTR"); }, "client.example", "a@b.example",
       "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "reverse_name=missing"},
      {"leads elsewhere", &screen::Settings::reverse_name_confirmed,
       [](World& w) { w.asker.table.erase("client.example A"); }, "client.example", "a@b.example",
       "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "reverse_name=unconfirmed"},
      {"HELO", &screen::Settings::helo, [](World&) {}, "My PC", "a@b.example",
       "501 5.5.2 <My PC>: Helo command rejected: Invalid name", "helo=syntax"},
      {"HELO with our name", &screen::Settings::helo, [](World&) {}, "mx.example", "a@b.example",
       "550 5.7.1 <mx.example>: Helo command rejected: this is not the client's name or address", "helo=own_name"},
      {"HELO without a dot", &screen::Settings::helo, [](World&) {}, "friend", "a@b.example",
       "504 5.5.2 <friend>: Helo command rejected: need fully-qualified hostname", "helo=not_qualified"},
      {"HELO of nobody", &screen::Settings::helo, [](World& w) { w.settings.screen.helo_checks = {"unresolvable"}; },
       "none.example", "a@b.example", "550 5.7.1 <none.example>: Helo command rejected: Host not found",
       "helo=unresolvable"},
      {"an unknown sender", &screen::Settings::sender_domain, [](World&) {}, "client.example", "a@none.example",
       "550 5.1.8 <a@none.example>: Sender address rejected: Domain not found", "sender_domain=unknown"},
      {"one that takes no mail", &screen::Settings::sender_domain,
       [](World& w) { w.asker.table["b.example MX"] = {"0 ."}; }, "client.example", "a@b.example",
       "550 5.7.27 <a@b.example>: Sender address rejected: Domain does not take mail (null MX)",
       "sender_domain=null_mx"},
  };
  for (const auto& c : cases) {
    for (Action action : {Action::kOff, Action::kTag, Action::kReject}) {
      World w;
      w.settings.screen.*c.check = action;
      c.trouble(w);
      const std::string reply = w.rcpt(c.helo, c.from);
      EXPECT_EQ(reply, action == Action::kReject ? c.reply : kOk) << c.why;
      EXPECT_EQ(w.tag(), action == Action::kTag ? c.word : "") << c.why;
      if (action != Action::kReject) continue;
      EXPECT_EQ(w.rcpt(c.helo, c.from, "postmaster@d.example"), kOk) << c.why;
      EXPECT_EQ(w.tag(), c.word) << c.why;
      w.settings.screen.open_postmaster = false;
      EXPECT_EQ(w.rcpt(c.helo, c.from, "postmaster@d.example"), c.reply) << c.why;
    }
  }
}

TEST(Screening, AMissingNameIsFoundOnce) {
  struct {
    Action name, confirmed;
    std::string reply, tag;
  } cases[] = {
      {Action::kTag, Action::kTag, kOk, "reverse_name=missing"},
      {Action::kTag, Action::kReject, "550 5.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", ""},
      {Action::kReject, Action::kTag, "550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
       ""},
  };
  for (const auto& c : cases) {
    World w;
    w.settings.screen.reverse_name = c.name;
    w.settings.screen.reverse_name_confirmed = c.confirmed;
    w.asker.table.erase("192.0.2.1 PTR");
    EXPECT_EQ(w.rcpt(), c.reply);
    EXPECT_EQ(w.tag(), c.tag);
    w.rcpt("client.example", "a@b.example", "postmaster@d.example");
    EXPECT_EQ(w.tag(), "reverse_name=missing");
  }
}

TEST(Screening, WhatNobodyCanSayIsTemporary) {
  struct {
    const char* key;
    Action screen::Settings::* check;
    const char* helo;
    const char* reply;
  } cases[] = {
      {"192.0.2.1 PTR", &screen::Settings::reverse_name, "client.example",
       "450 4.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]"},
      {"client.example A", &screen::Settings::reverse_name_confirmed, "client.example",
       "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]"},
      {"other.example A", &screen::Settings::helo, "other.example",
       "450 4.7.1 <other.example>: Helo command rejected: Host not found"},
      {"b.example MX", &screen::Settings::sender_domain, "client.example",
       "450 4.1.8 <a@b.example>: Sender address rejected: Domain cannot be looked up now"},
  };
  for (const auto& c : cases) {
    for (Action action : {Action::kTag, Action::kReject}) {
      World w;
      w.settings.screen.helo_checks = {"unresolvable"};
      w.settings.screen.*c.check = action;
      w.asker.trouble[c.key] = ErrorKind::kTimeout;
      EXPECT_EQ(w.rcpt(c.helo), action == Action::kReject ? c.reply : kOk) << c.key;
      EXPECT_EQ(w.tag(), "") << c.key;
    }
  }
}

TEST(Screening, BlockLists) {
  World w;
  w.lists({{.zone = "l.example"}, {.zone = "t.example", .action = Action::kTag}});
  EXPECT_EQ(w.rcpt(), kOk);
  EXPECT_EQ(w.tag(), "");
  w.asker.table["1.2.0.192.t.example A"] = {"127.0.0.2"};
  EXPECT_EQ(w.rcpt(), kOk);
  EXPECT_EQ(w.tag(), "blocklist=t.example score=1");
  w.asker.table["1.2.0.192.l.example A"] = {"127.0.0.2"};
  w.asker.table["1.2.0.192.l.example TXT"] = {"https://l.example/?192.0.2.1"};
  EXPECT_EQ(
      w.rcpt(),
      "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using l.example; https://l.example/?192.0.2.1");
  w.settings.screen.blocklists = false;
  EXPECT_EQ(w.rcpt(), kOk);
  w.settings.screen.blocklists = true;
  // Who may relay is not asked about, and a bounce is looked at like any other.
  EXPECT_EQ(w.rcpt("client.example", "").substr(0, 9), "554 5.7.1");
  w.settings.networks = {"192.0.2.0/24"};
  EXPECT_EQ(w.rcpt(), kOk);
}

// Never answers.
class SilentAsker final : public screen::Asker {
 public:
  explicit SilentAsker(net::Loop& loop) : never_(loop) {}
  std::function<void()> asked;
  net::Awaitable<screen::Found> records(net::Loop&, std::string, dns::RecordType, Duration) override {
    co_return std::vector<std::string>{};
  }
  net::Awaitable<screen::Found> names(net::Loop&, std::string, Duration) override {
    asked();
    co_await never_.wait();
    co_return std::vector<std::string>{};
  }

 private:
  screen::Signal never_;
};

TEST(Screening, WaitsNoLongerThanTheServer) {
  World w;
  SilentAsker silent(w.loop);
  w.context.asker = &silent;
  w.settings.screen.blocklists = false;
  auto policy = ListenerPolicy::make(w.settings).value();
  Intake intake(w.context, policy, 0);
  silent.asked = [&] { w.loop.post([&] { intake.cancel(); }); };
  mail::Reply mail, rcpt;
  auto talk = [](World* world, Intake* to, mail::Reply* first, mail::Reply* second) -> net::Awaitable<void> {
    smtp::SessionInfo session;
    session.peer = world->peer;
    session.helo = "x.example";
    co_await to->meet(session);
    smtp::MailCommand from;
    from.path.mailbox = mail::Mailbox::parse("a@b.example", false).value();
    *first = co_await to->mail(session, std::move(from));
    smtp::RcptCommand whom;
    whom.path.mailbox = mail::Mailbox::parse("c@d.example", false).value();
    *second = co_await to->rcpt(session, std::move(whom));
  };
  screen::run_on(w.loop, talk(&w, &intake, &mail, &rcpt));
  EXPECT_EQ(mail.code, 250);
  EXPECT_EQ(rcpt.line(), "421 4.3.2 Service is shutting down");
}

TEST(Screening, FriendsDoNotWaitForTheirName) {
  World w;
  SilentAsker silent(w.loop);
  silent.asked = [] {};
  w.context.asker = &silent;
  w.settings.networks = {"192.0.2.0/24"};
  w.settings.screen.early_talker = Action::kReject;
  auto policy = ListenerPolicy::make(w.settings).value();
  Intake intake(w.context, policy, 0);
  smtp::SessionInfo session;
  session.peer = w.peer;
  bool met = false;
  auto meet = [](Intake* to, smtp::SessionInfo* whom, bool* done) -> net::Awaitable<void> {
    co_await to->meet(*whom);
    *done = true;
  };
  w.loop.spawn("meets", meet(&intake, &session, &met));
  w.loop.context().poll();
  EXPECT_TRUE(met);
  EXPECT_EQ(session.quiet, Duration(0));
}

TEST(Screening, WhoSpeaksBeforeTheGreeting) {
  for (Action action : {Action::kOff, Action::kTag, Action::kReject}) {
    for (bool early : {true, false}) {
      World w;
      w.settings.screen.early_talker = action;
      w.talks_early = early;
      const std::string reply = w.rcpt();
      const bool refused = early && action == Action::kReject;
      EXPECT_EQ(reply, refused ? "550 5.5.1 Protocol error: you spoke before the greeting" : kOk);
      EXPECT_EQ(w.tag(), early && action == Action::kTag ? "early_talker" : "");
    }
  }
}

TEST(Screening, SeveralWordsAreFolded) {
  World w;
  w.settings.screen.reverse_name = w.settings.screen.helo = w.settings.screen.sender_domain = Action::kTag;
  w.asker.table.clear();
  EXPECT_EQ(w.rcpt("friend", "a@none.example"), kOk);
  EXPECT_EQ(w.tag(), "reverse_name=missing; helo=not_qualified; sender_domain=unknown");
  EXPECT_NE(
      w.header().find("X-Sidegate-Screen: reverse_name=missing; helo=not_qualified;\r\n sender_domain=unknown\r\n"),
      std::string::npos)
      << w.header();
}

TEST(Screening, RatesOfOneAddress) {
  World w;
  ASSERT_TRUE(w.context.rates.set({.messages = 2, .recipients = 3}));
  const std::string mail = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@d.example>\r\nRSET\r\n";
  const std::string written = w.converse("EHLO x.example\r\n" + mail + mail + mail + "QUIT\r\n");
  EXPECT_NE(written.find("450 4.7.1 Too many recipients from your address this minute"), std::string::npos) << written;
  EXPECT_NE(written.find("450 4.7.1 Too many messages from your address this minute"), std::string::npos) << written;
  ASSERT_TRUE(w.context.rates.set({.connections = 1, .messages = 0}));
  EXPECT_EQ(w.rcpt(), kOk);
  EXPECT_EQ(w.rcpt(), "421 4.7.0 Too many connections or errors from your address, try again later\r\n");
  w.settings.networks = {"192.0.2.0/24"};
  EXPECT_EQ(w.rcpt(), kOk);
}

// All clients come from the front's address: they are counted by their own, and the front is no stranger.
TEST(Screening, AFrontIsNotLookedAtBeforeItHasNamedItsClient) {
  World w;
  w.settings.xclient = {"192.0.2.1"};
  w.settings.screen.early_talker = Action::kReject;
  w.talks_early = true;  // it may: it is not made to wait
  w.lists({{.zone = "l.example"}});
  w.asker.table["1.2.0.192.l.example A"] = {"127.0.0.2"};
  ASSERT_TRUE(w.context.rates.set({.connections = 1}));
  w.context.admission.set_limits({.in_all = 100, .per_address = 1});
  const std::string mail = "EHLO far\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nQUIT\r\n";
  for (int i = 2; i < 6; ++i) {
    const std::string address = "198.51.100." + std::to_string(i);
    const std::string written = w.converse("EHLO front\r\nXCLIENT ADDR=" + address + "\r\n" + mail);
    EXPECT_NE(written.find("250 2.1.5 Ok"), std::string::npos) << written;
  }
  EXPECT_EQ(std::ranges::count(w.asker.asked, "1.2.0.192.l.example A"), 0);
  EXPECT_EQ(std::ranges::count(w.asker.asked, "5.100.51.198.l.example A"), 1);
  EXPECT_NE(w.converse("XCLIENT ADDR=198.51.100.5\r\n" + mail).find("421 4.7.0 Too many connections"),
            std::string::npos);
  // Several commands are one client, who has one place.
  ASSERT_TRUE(w.context.rates.set({}));
  EXPECT_NE(w.converse("XCLIENT ADDR=198.51.100.9\r\nXCLIENT PROTO=ESMTP\r\n" + mail).find("250 2.1.5 Ok"),
            std::string::npos);
  // Its own mail is its own matter, and it may relay no more than anybody.
  EXPECT_EQ(w.rcpt(), kOk);
  EXPECT_EQ(w.rcpt("front", "a@b.example", "x@elsewhere.example"), "554 5.7.1 Relay access denied");
}

TEST(Screening, ErrorsOfOneAddress) {
  World w;
  ASSERT_TRUE(w.context.rates.set({.errors = 3}));
  const auto guess = [&w] { return w.rcpt("x.example", "a@b.example", "x@elsewhere.example"); };
  EXPECT_EQ(guess(), "554 5.7.1 Relay access denied");
  for (int i = 0; i < 2; ++i) guess();
  EXPECT_EQ(w.rcpt().substr(0, 9), "421 4.7.0");
  w.clock.advance(Duration(61'000));
  EXPECT_EQ(w.rcpt(), kOk);
}

}  // namespace
}  // namespace sidegate::intake::screening_test
