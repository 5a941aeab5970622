#include "smtp/client_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/run_script.h"
#include "net/script_stream.h"

namespace sidegate::smtp::client_session_test {
namespace {

using net::run_script;
using net::ScriptStream;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using namespace std::chrono_literals;
const ClientTimeouts kTimeouts{.greeting = 1s,
                               .helo = 2s,
                               .mail = 3s,
                               .rcpt = 4s,
                               .starttls = 5s,
                               .auth = 6s,
                               .data_init = 7s,
                               .data_block = 8s,
                               .data_done = 9s,
                               .quit = 10s};

TEST(ClientSession, Greeting) {
  struct Case {
    const char* sent;
    int code;
    ErrorKind kind;
  };
  for (const Case& c :
       {Case{"220-mx.example\r\n220 ESMTP\r\n", 220, {}}, Case{"554 go away\r\n", 554, ErrorKind::kRefused},
        Case{"421 busy\r\n", 421, ErrorKind::kClosed}, Case{"250 what?\r\n", 250, ErrorKind::kRefused},
        Case{"HTTP/1.1 400 Bad Request\r\n", 0, ErrorKind::kProtocol},
        Case{"220-a\r\n250 b\r\n", 0, ErrorKind::kProtocol}, Case{"", 0, ErrorKind::kClosed}}) {
    ScriptStream stream;
    stream.peer_sends(c.sent).deliver_at_most(1);
    ClientSession session(stream, "me.example", kTimeouts);
    auto said = run_script(session.greet());
    SCOPED_TRACE(c.sent);
    EXPECT_EQ(said.has_value(), c.code == 220);
    EXPECT_THAT(stream.deadlines(), ElementsAre(1s));  // one for the whole reply, however slowly it comes
    if (said) continue;
    EXPECT_EQ(said.error().phase, Phase::kGreeting);
    EXPECT_EQ(said.error().error.kind, c.kind);
    EXPECT_FALSE(said.error().error.text.empty());
    EXPECT_EQ(said.error().reply ? said.error().reply->code : 0, c.code);
  }
}

TEST(ClientSession, RepliesAreBounded) {
  for (bool one_line : {true, false}) {
    ScriptStream stream;
    std::string endless;
    if (one_line) endless = "220 " + std::string(1 << 20, 'x');
    for (int i = 0; !one_line && i < 10'000; ++i) endless += "220-and so on\r\n";
    stream.peer_sends(endless);
    ClientSession session(stream, "me.example", kTimeouts);
    auto said = run_script(session.greet());
    ASSERT_FALSE(said);
    EXPECT_TRUE(said.error().error.kind == ErrorKind::kProtocol || said.error().error.kind == ErrorKind::kClosed);
  }
}

TEST(ClientSession, EhloOrHelo) {
  ScriptStream stream;
  stream.expect("EHLO me.example\r\n").peer_sends("250-mx.example\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n");
  ClientSession session(stream, "me.example", kTimeouts);
  auto can = run_script(session.ehlo());
  ASSERT_TRUE(can);
  EXPECT_TRUE(can->esmtp && can->pipelining);
  EXPECT_THAT(session.capabilities().auth, ElementsAre("PLAIN"));
  EXPECT_EQ(stream.problem(), "");

  // RFC 5321 section 3.2
  ScriptStream old;
  old.expect("EHLO me.example\r\n")
      .peer_sends("500 what?\r\n")
      .expect("HELO me.example\r\n")
      .peer_sends("250 mx.example\r\n");
  ClientSession with_old(old, "me.example", kTimeouts);
  can = run_script(with_old.ehlo());
  ASSERT_TRUE(can);
  EXPECT_FALSE(can->esmtp || can->pipelining);
  EXPECT_EQ(can->host, "mx.example");
  EXPECT_EQ(can->refusal, "500 what?");
  EXPECT_EQ(old.problem(), "");
}

// What the server said to EHLO is told, whatever becomes of HELO.
TEST(ClientSession, EhloAndHeloRefused) {
  struct Case {
    const char *to_ehlo, *to_helo;  // nullptr: it closes
    std::string told;
    int code;
  };
  for (const Case& c :
       {Case{"554 5.7.1 you are on a list\r\n", nullptr, "554 5.7.1 you are on a list", 554},
        Case{"554 5.7.1 you are on a list\r\n", "503 5.5.1 out of order\r\n",
             "503 5.5.1 out of order (the reply to HELO; to EHLO: 554 5.7.1 you are on a list)", 503},
        Case{"550 5.7.1 no\r\n", "550 5.7.1 no\r\n", "550 5.7.1 no", 550},
        Case{"550 no\r\n", "421 4.3.2 bye\r\n", "421 4.3.2 bye (the reply to HELO; to EHLO: 550 no)", 421}}) {
    SCOPED_TRACE(c.told);
    ScriptStream stream;
    stream.expect("EHLO me.example\r\n").peer_sends(c.to_ehlo).expect("HELO me.example\r\n");
    if (c.to_helo) stream.peer_sends(c.to_helo);
    ClientSession session(stream, "me.example", kTimeouts);
    auto can = run_script(session.ehlo());
    ASSERT_FALSE(can);
    ASSERT_TRUE(can.error().reply);
    EXPECT_EQ(can.error().reply->code, c.code);
    EXPECT_EQ(can.error().reply->line(), c.told);
    EXPECT_EQ(stream.problem(), "");
  }
}

TEST(ClientSession, EhloRefused) {
  for (const char* reply : {"421 bye\r\n", "450 later\r\n"}) {
    ScriptStream stream;
    stream.expect("EHLO me.example\r\n").peer_sends(reply);
    ClientSession session(stream, "me.example", kTimeouts);
    auto can = run_script(session.ehlo());
    ASSERT_FALSE(can);
    EXPECT_TRUE(can.error().reply);
    EXPECT_EQ(stream.problem(), "");  // no HELO after that
  }
}

TEST(ClientSession, WhatIsSaidUnaskedIsNoAnswer) {
  ScriptStream stream;
  stream.peer_sends("220 mx\r\n250 mx\r\n");  // the answer before the question
  ClientSession session(stream, "me.example", kTimeouts);
  ASSERT_TRUE(run_script(session.greet()));
  auto can = run_script(session.ehlo());
  ASSERT_FALSE(can);
  EXPECT_EQ(can.error().error.kind, ErrorKind::kProtocol);
  EXPECT_EQ(stream.written(), "");
}

TEST(ClientSession, StartTls) {
  ScriptStream stream;
  stream.expect("EHLO me\r\n").peer_sends("250-mx\r\n250 STARTTLS\r\n");
  stream.expect("STARTTLS\r\n").peer_sends("220 go\r\n").tls();
  ClientSession session(stream, "me", kTimeouts);
  ASSERT_TRUE(run_script(session.ehlo()));
  EXPECT_TRUE(run_script(session.starttls(nullptr)));
  EXPECT_TRUE(stream.is_tls());
  EXPECT_FALSE(session.capabilities().starttls);  // RFC 3207 section 4.2: forgotten
  EXPECT_EQ(stream.problem(), "");
}

TEST(ClientSession, StartTlsRefused) {
  for (const char* reply : {"454 4.7.0 TLS not available\r\n", "502 no\r\n", "250 ok\r\n", "421 bye\r\n"}) {
    ScriptStream stream;
    stream.expect("STARTTLS\r\n").peer_sends(reply);
    ClientSession session(stream, "me", kTimeouts);
    auto secured = run_script(session.starttls(nullptr));
    ASSERT_FALSE(secured);
    EXPECT_EQ(secured.error().phase, Phase::kStartTls);
    EXPECT_TRUE(secured.error().reply);
    EXPECT_FALSE(stream.is_tls());
  }
}

TEST(ClientSession, PlaintextBehindStartTlsIsNeverBelieved) {
  for (const char* injected : {"220 go\r\n250 AUTH PLAIN\r\n", "220 go\r\nx", "220-go\r\n220 go\r\n\r\n"}) {
    ScriptStream stream;
    stream.expect("STARTTLS\r\n").peer_sends(injected).tls();
    ClientSession session(stream, "me", kTimeouts);
    auto secured = run_script(session.starttls(nullptr));
    ASSERT_FALSE(secured) << injected;
    EXPECT_EQ(secured.error().error.kind, ErrorKind::kProtocol);
    EXPECT_THAT(secured.error().error.text, HasSubstr("injected"));
    EXPECT_EQ(stream.written(), "STARTTLS\r\n");  // and nothing more
    EXPECT_FALSE(stream.is_tls());
  }
}

TEST(ClientSession, HandshakeFails) {
  ScriptStream stream;
  stream.expect("STARTTLS\r\n").peer_sends("220 go\r\n").tls_fails("no common cipher");
  ClientSession session(stream, "me", kTimeouts);
  auto secured = run_script(session.starttls(nullptr));
  ASSERT_FALSE(secured);
  EXPECT_EQ(secured.error().phase, Phase::kTls);
  EXPECT_EQ(secured.error().error.kind, ErrorKind::kTls);
}

TEST(ClientSession, CommandsAreOneLine) {
  ScriptStream stream;
  ClientSession session(stream, "me", kTimeouts);
  auto said = run_script(session.command(Phase::kMail, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>", 1s));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().error.kind, ErrorKind::kBadInput);
  EXPECT_EQ(stream.written(), "");
}

TEST(ClientSession, Quit) {
  for (const char* reply : {"221 bye\r\n", "500 what?\r\n", ""}) {
    ScriptStream stream;
    stream.expect("QUIT\r\n").peer_sends(reply);
    ClientSession session(stream, "me", kTimeouts);
    run_script(session.quit());
    EXPECT_TRUE(stream.closed());
    EXPECT_EQ(stream.problem(), "");
  }
}

// --- AUTH

auth::Circumstances verified() {
  auth::Circumstances c;
  c.tls = c.tls_verified = true;
  c.host = "mx.example";
  return c;
}
const auth::Credentials kTim{"tim", "tanstaaftanstaaf"};
// base64 of NUL tim NUL tanstaaftanstaaf
const std::string kPlain = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";

struct AuthRun {
  Step<mail::Reply> result = std::unexpected(Trouble{});
  std::string used, transcript;
};
AuthRun authenticate(ScriptStream& stream, std::vector<std::string> mechanisms, auth::Credentials credentials = kTim) {
  AuthRun run;
  ClientSession session(stream, "me", kTimeouts);
  session.set_transcript(
      [&](char direction, std::string_view line) { run.transcript += fmt::format("{}: {}\n", direction, line); });
  run.result = run_script(session.authenticate(mechanisms, credentials, verified(), &run.used));
  EXPECT_EQ(stream.problem(), "");
  for (const std::string& secret : {kPlain, kTim.password, std::string("dGFuc3RhYWZ0YW5zdGFhZg==")}) {
    EXPECT_THAT(run.transcript, Not(HasSubstr(secret)));
    if (run.result) continue;
    EXPECT_THAT(run.result.error().error.text, Not(HasSubstr(secret)));
    if (run.result.error().reply) EXPECT_THAT(run.result.error().reply->line(), Not(HasSubstr(secret)));
  }
  return run;
}

TEST(ClientAuth, PlainInOneLine) {
  ScriptStream stream;
  stream.expect("AUTH PLAIN " + kPlain + "\r\n").peer_sends("235 2.7.0 welcome\r\n");
  AuthRun run = authenticate(stream, {"PLAIN", "LOGIN"});
  ASSERT_TRUE(run.result);
  EXPECT_EQ(run.used, "PLAIN");
  EXPECT_EQ(run.transcript, "C: AUTH PLAIN ****\nS: 235 2.7.0 welcome\n");
}

TEST(ClientAuth, AnInitialResponseTooLongForTheLineFollows) {
  // RFC 4954 section 4
  ScriptStream stream;
  stream.expect("AUTH PLAIN\r\n").peer_sends("334 ok. go on.\r\n").expect_line("AHRpbQB").peer_sends("235 ok\r\n");
  AuthRun run = authenticate(stream, {"PLAIN"}, {"tim", std::string(600, 'x')});
  EXPECT_TRUE(run.result);
  EXPECT_EQ(run.transcript, "C: AUTH PLAIN\nS: 334 ****\nC: ****\nS: 235 ok\n");
}

TEST(ClientAuth, LoginWhateverThePrompts) {
  for (auto [first, second] :
       {std::pair("334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"), std::pair("334 Username:\r\n", "334 \r\n")}) {
    ScriptStream stream;
    stream.expect("AUTH LOGIN\r\n").peer_sends(first).expect("dGlt\r\n").peer_sends(second);
    stream.expect("dGFuc3RhYWZ0YW5zdGFhZg==\r\n").peer_sends("235 ok\r\n");
    EXPECT_TRUE(authenticate(stream, {"LOGIN"}).result);
  }
}

TEST(ClientAuth, CramMd5) {
  ScriptStream stream;
  stream.expect("AUTH CRAM-MD5\r\n").peer_sends("334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n");
  stream.expect("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n").peer_sends("235 ok\r\n");
  EXPECT_TRUE(authenticate(stream, {"CRAM-MD5"}).result);
}

TEST(ClientAuth, ABadChallengeIsCancelled) {
  for (const char* challenge : {"334 this is no base64!\r\n", "334-PDE4\r\n334 PDE4\r\n"}) {
    ScriptStream stream;
    stream.expect("AUTH CRAM-MD5\r\n").peer_sends(challenge).expect("*\r\n").peer_sends("501 cancelled\r\n");
    AuthRun run =
        authenticate(stream, {"CRAM-MD5", "PLAIN"});  // and no other mechanism: that is for the server to refuse
    ASSERT_FALSE(run.result);
    EXPECT_EQ(run.result.error().error.kind, ErrorKind::kAuth);
    EXPECT_EQ(stream.written().find("PLAIN"), std::string::npos);
  }
}

TEST(ClientAuth, ANextMechanismOnlyWhereThisOneIsRefused) {
  struct Case {
    const char* reply;
    bool next;
  };
  for (const Case& c :
       {Case{"504 5.5.4 unrecognized authentication type\r\n", true}, Case{"534 5.7.9 mechanism is too weak\r\n", true},
        Case{"538 5.7.11 encryption required\r\n", true},
        Case{"535 5.7.8 Error: authentication failed: no mechanism available\r\n", true},
        Case{"535 5.7.8 Error: authentication failed: no secret in database\r\n", true},
        Case{"535 5.7.8 authentication failed\r\n", false},
        Case{"535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 see support - gsmtp\r\n", false},
        Case{"534-5.7.9 Application-specific password required.\r\n534 5.7.9 see support - gsmtp\r\n", false},
        Case{"534 5.7.14 Please log in with your web browser and then try again\r\n", false},
        Case{"454 4.7.0 temporary authentication failure\r\n", false}, Case{"421 4.7.0 too many errors\r\n", false},
        Case{"530 5.7.0 must issue STARTTLS first\r\n", false}}) {
    ScriptStream stream;
    stream.expect("AUTH CRAM-MD5\r\n").peer_sends(c.reply);
    if (c.next) stream.expect("AUTH PLAIN " + kPlain + "\r\n").peer_sends("235 ok\r\n");
    AuthRun run = authenticate(stream, {"CRAM-MD5", "PLAIN"});
    EXPECT_EQ(run.result.has_value(), c.next) << c.reply;
    if (!c.next) EXPECT_TRUE(run.result.error().reply) << c.reply;
  }
}

TEST(ClientAuth, SuccessWithoutProofIsNone) {
  ScriptStream stream;
  stream.expect_line("AUTH SCRAM-SHA-256 ").peer_sends("235 welcome, whoever you are\r\n");
  AuthRun run = authenticate(stream, {"SCRAM-SHA-256", "PLAIN"});
  ASSERT_FALSE(run.result);
  EXPECT_EQ(run.result.error().error.kind, ErrorKind::kAuth);
  EXPECT_EQ(stream.written().find("PLAIN"), std::string::npos);
}

TEST(ClientAuth, AServerThatEchoesLearnsNothingNewAndNorDoesTheLog) {
  ScriptStream stream;
  stream.expect("AUTH PLAIN " + kPlain + "\r\n")
      .peer_sends("535 what is 'AUTH PLAIN " + kPlain + "' " + kTim.password + "?\r\n");
  AuthRun run = authenticate(stream, {"PLAIN"});
  ASSERT_FALSE(run.result);
  EXPECT_EQ(run.result.error().reply->text(), "what is 'AUTH PLAIN ****' ****?");
}

TEST(ClientAuth, AServerThatAsksWithoutEnd) {
  ScriptStream stream;
  stream.expect("AUTH LOGIN\r\n").peer_sends("334 \r\n").expect("dGlt\r\n").peer_sends("334 \r\n");
  stream.expect("dGFuc3RhYWZ0YW5zdGFhZg==\r\n").peer_sends("334 \r\n").expect("*\r\n").peer_sends("501 ok\r\n");
  EXPECT_FALSE(authenticate(stream, {"LOGIN"}).result);
}

TEST(ClientAuth, ErrorsAtEveryStep) {
  std::size_t runs = net::repeat_with_errors([](ScriptStream& stream, const net::Fault* fault) {
    stream.expect("AUTH LOGIN\r\n")
        .peer_sends("334 VXNlcm5hbWU6\r\n")
        .expect("dGlt\r\n")
        .peer_sends("334 UGFzc3dvcmQ6\r\n");
    stream.expect("dGFuc3RhYWZ0YW5zdGFhZg==\r\n").peer_sends("235 ok\r\n");
    ClientSession session(stream, "me", kTimeouts);
    std::string used;
    auto said = run_script(session.authenticate({"LOGIN", "PLAIN"}, kTim, verified(), &used));
    EXPECT_EQ(said.has_value(), fault == nullptr);
    if (fault != nullptr) EXPECT_EQ(said.error().error.kind, fault->kind);
    EXPECT_EQ(stream.written().find("PLAIN"), std::string::npos);
  });
  EXPECT_GT(runs, 10u);
}

}  // namespace
}  // namespace sidegate::smtp::client_session_test
