#include "milter/filters.h"

#include <gtest/gtest.h>

#include <deque>

#include "milter/string_body.h"
#include "net/run_script.h"

namespace sidegate::milter::filters_test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using net::run_script;
using net::ScriptStream;
using Kind = Decision::Kind;

// The scripts of one test's links, in the order in which they are dialled; none left: nobody listens.
struct Scripts {
  ScriptStream& next() {
    ready.push_back(std::make_unique<ScriptStream>());
    return *ready.back();
  }
  // A filter that agrees to everything but what is named.
  ScriptStream& filter(std::uint32_t protocol = 0, std::uint32_t version = kVersion) {
    std::string data;
    put_u32(data, version);
    put_u32(data, version > 2 ? action::kAll : action::kOfVersion2);
    put_u32(data, protocol);
    return next().expect(encode_options({})).peer_sends(encode(Packet{'O', data}));
  }
  net::Awaitable<Result<std::unique_ptr<net::Stream>>> make() {
    if (ready.empty()) co_return fail(ErrorKind::kRefused, "nobody listens");
    std::unique_ptr<net::Stream> stream = std::move(ready.front());
    ready.pop_front();
    co_return stream;
  }
  Dial dial() {
    return [this](Address, Duration) { return make(); };
  }
  std::deque<std::unique_ptr<ScriptStream>> ready;
};

Settings named(std::string name, OnFailure on_failure = OnFailure::kTempfail) {
  return {.name = std::move(name), .address = *parse_address("unix:/run/f"), .on_failure = on_failure};
}

std::string answer(char code, std::string data = {}) {
  return encode(Packet{code, std::move(data)});
}
const std::string kContinue = answer('c');

std::string strings(Command command, std::initializer_list<const char*> parts) {
  std::string data;
  for (const char* part : parts) put_string(data, part);
  return encode(command, data);
}
const std::string kConnect = encode_connect({"c.example", "192.0.2.1", 25});
const std::string kHelo = strings(Command::kHelo, {"c.example"});
const std::string kMail = strings(Command::kMail, {"<a@a.example>"});
const std::string kRcpt = strings(Command::kRcpt, {"<b@b.example>"});
const std::string kHeaders = strings(Command::kHeader, {"Subject", "hi"});
const std::string kBody = encode(Command::kBody, "text\r\n");
const std::string kEnd = encode(Command::kEndOfBody);

ScriptStream& greets(ScriptStream& s) {
  return s.expect(kConnect).peer_sends(kContinue).expect(kHelo).peer_sends(kContinue);
}
ScriptStream& envelope(ScriptStream& s) {
  return s.expect(kMail)
      .peer_sends(kContinue)
      .expect(kRcpt)
      .peer_sends(kContinue)
      .expect(encode(Command::kData))
      .peer_sends(kContinue);
}
ScriptStream& content(ScriptStream& s) {
  return s.expect(kHeaders)
      .peer_sends(kContinue)
      .expect(encode(Command::kEndOfHeader))
      .peer_sends(kContinue)
      .expect(kBody)
      .peer_sends(kContinue)
      .expect(kEnd);
}

Message fresh() {
  return {.own = "Received: me\r\n",
          .header = "Subject: hi\r\n",
          .from = "a@a.example",
          .recipients = {{"b@b.example", ""}}};
}

// The whole dialogue, until something but kPass is answered; what that was, and at which step.
struct Dialogue {
  Decision decision;
  std::string step;
  Message message = fresh();
  std::string body;
};
net::Awaitable<Dialogue> transaction(Filters& filters) {
  Dialogue d;
  StringBody body("text\r\n");
  d.step = "mail";
  d.decision = co_await filters.mail("<a@a.example>", {});
  if (d.decision.kind != Kind::kPass) co_return d;
  d.step = "rcpt";
  d.decision = co_await filters.rcpt("<b@b.example>", {});
  if (d.decision.kind != Kind::kPass) co_return d;
  d.step = "data";
  d.decision = co_await filters.data();
  if (d.decision.kind != Kind::kPass) co_return d;
  d.step = "message";
  d.decision = co_await filters.message(d.message, body);
  d.body = body.text();
  co_return d;
}
net::Awaitable<Dialogue> whole(Filters& filters) {
  Dialogue d;
  Client client{"c.example", "192.0.2.1", 25};
  d.step = "connect";
  d.decision = co_await filters.connect(client);
  if (d.decision.kind != Kind::kPass) co_return d;
  d.step = "helo";
  d.decision = co_await filters.helo("c.example");
  if (d.decision.kind != Kind::kPass) co_return d;
  co_return co_await transaction(filters);
}

TEST(Filters, TheWholeDialogueWithEdits) {
  Scripts scripts;
  ScriptStream& s = scripts.filter();
  content(envelope(greets(s)))
      .peer_sends(answer('p') + answer('i', "\0\0\0\1X-A\0 1\0"s) + answer('+', "<c@c.example>\0"s) +
                  answer('b', "new") + kContinue);
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  Dialogue d = run_script(whole(filters));
  EXPECT_EQ(d.decision.kind, Kind::kPass);
  EXPECT_EQ(d.message.own + d.message.header, "Received: me\r\nX-A:  1\r\nSubject: hi\r\n");
  EXPECT_EQ(d.body, "new");
  EXPECT_EQ(d.message.recipients.size(), 2u);
  EXPECT_EQ(s.problem(), "");
  EXPECT_EQ(filters.take_notes(),
            (std::vector<Note>{{"f", At::kContent, Note::What::kChanged, "header, recipients, body"}}));
}

TEST(Filters, MacrosPrecedeTheirCommand) {
  Scripts scripts;
  ScriptStream& s = scripts.filter(protocol::kNoHelo);
  s.expect("\0\0\0\6DCj\0m\0"s + kConnect).peer_sends(kContinue);
  // HELO is not wanted, its macros are; they come with what is sent next.
  s.expect(encode(Command::kMacros, "H{cipher}\0x\0"s) +
           encode(Command::kMacros,
                  "Mi\0"
                  "4b\0{cipher}\0x\0"s) +
           kMail)
      .peer_sends(answer('r'));
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  filters.macros() = {{"j", "m"}, {"cipher", "x"}, {"i", "4b"}};
  Dialogue d = run_script(whole(filters));
  EXPECT_EQ(d.step, "mail");
  EXPECT_EQ(d.decision.reply.line(), "550 5.7.1 Command rejected");
  EXPECT_EQ(s.problem(), "");
}

TEST(Filters, NothingUnwantedIsSentAndNoReplyAwaited) {
  Scripts scripts;
  ScriptStream& s = scripts.filter(protocol::kNoConnect | protocol::kNoHelo | protocol::kNoReplyMail |
                                   protocol::kNoReplyRcpt | protocol::kNoData | protocol::kNoReplyHeader |
                                   protocol::kNoReplyEndOfHeader | protocol::kNoReplyBody | protocol::kLeadingSpace);
  s.expect(kMail + kRcpt + strings(Command::kHeader, {"Subject", " hi"}) + encode(Command::kEndOfHeader) + kBody + kEnd)
      .peer_sends(answer('h', "X\0\t1\0"s) + answer('a'));
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  Dialogue d = run_script(whole(filters));
  EXPECT_EQ(d.decision.kind, Kind::kPass);
  EXPECT_EQ(d.message.header, "Subject: hi\r\nX:\t1\r\n");
  EXPECT_EQ(s.problem(), "");
}

TEST(Filters, EachVerdictWhereItIsGiven) {
  struct {
    std::vector<std::string> steps;  // the answers in order: connect, helo, mail, rcpt, data, header, end, body, end
    const char* step;
    Kind kind;
    const char* line;
  } rows[] = {
      {{answer('t')}, "connect", Kind::kRefuse, "451 4.7.1 Service unavailable - try again later"},
      {{kContinue, answer('y', "554 5.7.1 no\0"s)}, "helo", Kind::kRefuse, "554 5.7.1 no"},
      {{kContinue, kContinue, answer('4')}, "mail", Kind::kClose, "421 4.7.0 Server closing connection"},
      {{kContinue, kContinue, kContinue, answer('r')}, "rcpt", Kind::kRefuse, "550 5.7.1 Command rejected"},
      {{kContinue, kContinue, kContinue, kContinue, answer('r')}, "data", Kind::kRefuse, "550 5.7.1 Command rejected"},
      {{answer('a')}, "message", Kind::kPass, ""},
      {{kContinue, kContinue, answer('a')}, "message", Kind::kPass, ""},
      {{kContinue, kContinue, answer('d')}, "message", Kind::kDiscard, ""},
      {{kContinue, kContinue, kContinue, kContinue, kContinue, answer('y', "550 5.7.1 spam\0"s)},
       "message",
       Kind::kRefuse,
       "550 5.7.1 spam"},
      {{kContinue, kContinue, kContinue, kContinue, kContinue, kContinue, answer('a')}, "message", Kind::kPass, ""},
      {{kContinue, kContinue, kContinue, kContinue, kContinue, kContinue, kContinue, answer('d')},
       "message",
       Kind::kDiscard,
       ""},
      {{kContinue, kContinue, kContinue, kContinue, kContinue, kContinue, kContinue, kContinue,
        answer('h',
               "X\0"
               "1\0"s) +
            answer('t')},
       "message",
       Kind::kRefuse,
       "451 4.7.1 Service unavailable - try again later"},
  };
  const std::string asked[] = {
      kConnect, kHelo, kMail, kRcpt, encode(Command::kData), kHeaders, encode(Command::kEndOfHeader), kBody, kEnd};
  for (const auto& row : rows) {
    Scripts scripts;
    ScriptStream& s = scripts.filter();
    for (std::size_t i = 0; i < row.steps.size(); ++i) s.expect(asked[i]).peer_sends(row.steps[i]);
    // What was settled before the filter saw the end is told as an end of the transaction.
    bool ended = row.steps.size() < 3 || row.steps.size() == std::size(asked);
    if (std::string(row.step) == "message" && !ended) s.expect(encode(Command::kAbort));
    const std::vector<Settings> settings{named("f")};
    Filters filters(settings, scripts.dial());
    Dialogue d = run_script(whole(filters));
    EXPECT_EQ(d.step, row.step);
    EXPECT_EQ(d.decision.kind, row.kind) << row.steps.size();
    if (*row.line) EXPECT_EQ(d.decision.reply.line(), row.line);
    EXPECT_EQ(d.message.header, "Subject: hi\r\n");
    EXPECT_EQ(s.problem(), "") << row.steps.size();
  }
}

TEST(Filters, SkipEndsTheBodyEarly) {
  for (bool agreed : {true, false}) {
    Scripts scripts;
    ScriptStream& s = scripts.filter(agreed ? protocol::kSkip : 0);
    std::string big(3 * kBodyChunk, 'x');
    envelope(greets(s))
        .expect(kHeaders)
        .peer_sends(kContinue)
        .expect(encode(Command::kEndOfHeader))
        .peer_sends(kContinue);
    s.expect(encode(Command::kBody, std::string(kBodyChunk, 'x'))).peer_sends(answer('s'));
    if (agreed) s.expect(kEnd).peer_sends(kContinue);
    auto run = [](Filters& filters, std::string body_text) -> net::Awaitable<Decision> {
      Client client{"c.example", "192.0.2.1", 25};
      (void)co_await filters.connect(client);
      (void)co_await filters.helo("c.example");
      (void)co_await filters.mail("<a@a.example>", {});
      (void)co_await filters.rcpt("<b@b.example>", {});
      (void)co_await filters.data();
      Message message = fresh();
      StringBody body(body_text);
      co_return co_await filters.message(message, body);
    };
    const std::vector<Settings> settings{named("f")};
    Filters filters(settings, scripts.dial());
    EXPECT_EQ(run_script(run(filters, big)).kind, agreed ? Kind::kPass : Kind::kRefuse);
  }
}

TEST(Filters, FailureIsPolicy) {
  struct {
    OnFailure policy;
    Kind kind;
    bool held;
  } rows[] = {{OnFailure::kTempfail, Kind::kRefuse, false},
              {OnFailure::kAccept, Kind::kPass, false},
              {OnFailure::kQuarantine, Kind::kPass, true}};
  for (const auto& row : rows) {
    for (std::string_view how : {"down", "closes", "stalls", "garbage", "edits early", "drops its edits", "newer"}) {
      Scripts scripts;
      if (how == "closes") scripts.filter().peer_closes();
      if (how == "stalls") greets(scripts.filter()).expect(kMail).peer_stalls();
      if (how == "garbage") scripts.next().peer_sends("HTTP/1.1 400 Bad Request\r\n\r\n");
      if (how == "edits early") greets(scripts.filter()).expect(kMail).peer_sends(answer('h', "X\0y\0"s));
      if (how == "drops its edits")
        content(envelope(greets(scripts.filter()))).peer_sends(answer('h', "X\0y\0"s)).peer_closes();
      if (how == "newer") scripts.filter(0, 7);
      const std::vector<Settings> settings{named("f", row.policy)};
      Filters filters(settings, scripts.dial());
      Dialogue d = run_script(whole(filters));
      EXPECT_EQ(d.decision.kind, row.kind) << how;
      if (row.kind == Kind::kRefuse) EXPECT_EQ(d.decision.reply.code, 451) << how;
      EXPECT_EQ(d.message.quarantine.has_value(), row.held) << how;
      EXPECT_EQ(d.message.header, "Subject: hi\r\n") << how;
      EXPECT_FALSE(filters.take_notes().empty()) << how;
    }
  }
}

TEST(Filters, ALostLinkIsMadeAnewForTheNextMessage) {
  Scripts scripts;
  greets(scripts.filter()).expect(kMail).peer_closes();
  ScriptStream& second = scripts.filter();
  content(envelope(greets(second))).peer_sends(kContinue);
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  EXPECT_EQ(run_script(whole(filters)).decision.kind, Kind::kRefuse);
  EXPECT_EQ(run_script(transaction(filters)).decision.kind, Kind::kPass);
  EXPECT_EQ(second.problem(), "");
}

TEST(Filters, TwoMessagesOnOneLinkAndAnAbort) {
  Scripts scripts;
  ScriptStream& s = scripts.filter();
  content(envelope(greets(s))).peer_sends(kContinue);
  s.expect(kMail).peer_sends(kContinue).expect(kRcpt).peer_sends(answer('r'));
  s.expect(encode(Command::kAbort));
  content(envelope(s)).peer_sends(kContinue);
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  EXPECT_EQ(run_script(whole(filters)).step, "message");
  EXPECT_EQ(run_script(transaction(filters)).step, "rcpt");
  run_script(filters.abort());
  EXPECT_EQ(run_script(transaction(filters)).decision.kind, Kind::kPass);
  EXPECT_EQ(s.problem(), "");
}

TEST(Filters, EachSeesWhatTheOneBeforeLeft) {
  Scripts scripts;
  ScriptStream& first = scripts.filter();
  content(envelope(greets(first)))
      .peer_sends(answer('h',
                         "X\0"
                         "1\0"s) +
                  answer('b', "short") + kContinue);
  ScriptStream& second = scripts.filter();
  envelope(greets(second)).expect(kHeaders).peer_sends(kContinue);
  second.expect(strings(Command::kHeader, {"X", "1"})).peer_sends(kContinue);
  second.expect(encode(Command::kEndOfHeader)).peer_sends(kContinue);
  second.expect(encode(Command::kBody, "short"))
      .peer_sends(kContinue)
      .expect(kEnd)
      .peer_sends(answer('q', "held\0"s) + kContinue);
  const std::vector<Settings> settings{named("a"), named("b")};
  Filters filters(settings, scripts.dial());
  Dialogue d = run_script(whole(filters));
  EXPECT_EQ(d.decision.kind, Kind::kPass);
  EXPECT_EQ(d.message.quarantine, "held");
  EXPECT_EQ(first.problem() + second.problem(), "");
}

TEST(Filters, ARefusedRecipientIsToldToThoseWhoAsk) {
  for (bool asks : {true, false}) {
    Scripts scripts;
    ScriptStream& s = scripts.filter(asks ? protocol::kRejectedRcpt : 0);
    s.expect(kMail).peer_sends(kContinue);
    if (asks) {
      s.expect(encode(Command::kMacros,
                      "R{rcpt_addr}\0"
                      "550 5.1.1 no\0{rcpt_host}\0"
                      "5.1.1\0{rcpt_mailer}\0error\0"s) +
               kRcpt);
      s.peer_sends(answer('c'));
    }
    const std::vector<Settings> settings{named("f")};
    Filters filters(settings, scripts.dial());
    EXPECT_EQ(run_script(filters.mail("<a@a.example>", {})).kind, Kind::kPass);
    run_script(filters.rcpt_refused("<b@b.example>", {}, mail::Reply(550, {5, 1, 1}, "no")));
    EXPECT_TRUE(filters.macros().empty());
    EXPECT_EQ(s.problem(), "");
  }
}

TEST(Filters, ALinkLostByAnUnknownCommandFiltersNothing) {
  Scripts scripts;
  scripts.filter().expect(kMail).peer_sends(kContinue).expect(strings(Command::kUnknown, {"FOO"})).peer_closes();
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  EXPECT_EQ(run_script(filters.mail("<a@a.example>", {})).kind, Kind::kPass);
  EXPECT_EQ(run_script(filters.unknown("FOO")).kind, Kind::kPass);
  EXPECT_EQ(filters.take_notes().size(), 1u);
  EXPECT_EQ(run_script(filters.data()).kind, Kind::kRefuse);
  Message message = fresh();
  StringBody body("text");
  EXPECT_EQ(run_script(filters.message(message, body)).kind, Kind::kRefuse);
}

// The server ends while a link is being made: what comes of it is not spoken to, which would wait anew.
TEST(Filters, ALinkThatIsMadeTooLateIsNotUsed) {
  Scripts scripts;
  content(envelope(scripts.filter())).peer_sends(kContinue);
  const std::vector<Settings> settings{named("f", OnFailure::kAccept)};
  Filters* all = nullptr;
  Dial dial = [&](Address, Duration) {
    all->cancel();
    return scripts.make();
  };
  Filters filters(settings, dial);
  all = &filters;
  const Dialogue d = run_script(transaction(filters));
  EXPECT_EQ(d.step, "mail");
  EXPECT_EQ(d.decision.kind, Kind::kRefuse);
  auto notes = filters.take_notes();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].text, "the server ends");
}

TEST(Filters, ProgressDoesNotGoOnForEver) {
  Scripts scripts;
  ScriptStream& s = scripts.filter();
  content(envelope(greets(s)));
  for (int i = 0; i < 60; ++i) s.peer_waits(20s).peer_sends(answer('p'));
  const std::vector<Settings> settings{named("f")};
  Filters filters(settings, scripts.dial());
  EXPECT_EQ(run_script(whole(filters)).decision.kind, Kind::kRefuse);
  auto notes = filters.take_notes();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].milter, "f");
  EXPECT_EQ(notes[0].what, Note::What::kFailed);
  EXPECT_EQ(notes[0].text, "no verdict in time");
}

// Each answer comes in time, and all of them together too late for the client.
TEST(Filters, AllOfAMessagesAnswersTogetherHaveOneDeadline) {
  for (Duration each : {Duration(200s), Duration(150s)}) {
    Scripts scripts;
    ScriptStream& s = envelope(scripts.filter());
    for (const char* name : {"A", "B", "C"})
      s.expect(strings(Command::kHeader, {name, "x"})).peer_waits(each).peer_sends(kContinue);
    s.expect(encode(Command::kEndOfHeader)).peer_sends(kContinue).expect(kBody).peer_sends(kContinue);
    s.expect(kEnd).peer_sends(kContinue);
    const std::vector<Settings> settings{named("f")};
    Filters filters(settings, scripts.dial());
    auto run = [](Filters* all) -> net::Awaitable<Decision> {
      (void)co_await all->mail("<a@a.example>", {});
      (void)co_await all->rcpt("<b@b.example>", {});
      (void)co_await all->data();
      Message message = fresh();
      message.header = "A: x\r\nB: x\r\nC: x\r\n";
      StringBody body("text\r\n");
      co_return co_await all->message(message, body);
    };
    EXPECT_EQ(run_script(run(&filters)).kind, each > Duration(180s) ? Kind::kRefuse : Kind::kPass);
  }
}

}  // namespace
}  // namespace sidegate::milter::filters_test
