// AUTH as a dialogue (RFC 4954).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "smtp/dialogue.h"

namespace sidegate::smtp::server_auth_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Knows me with the password "pass" and the token "token"; "hung" cannot be asked, "slow" has failed too often.
class FakeAuthenticator final : public Authenticator {
 public:
  std::vector<std::string_view> offered = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN",
                                           "OAUTHBEARER",        "CRAM-MD5"};
  std::vector<std::string> failures, successes;

  std::vector<std::string_view> mechanisms(bool binding, bool certificate) const override {
    std::vector<std::string_view> out;
    for (std::string_view name : offered) {
      if (name.ends_with("-PLUS") && !binding) continue;
      if (name == "EXTERNAL" && !certificate) continue;
      out.push_back(name);
    }
    return out;
  }
  static LoginVerdict answer(const std::string& user, bool right) {
    if (user == "hung") return fail(ErrorKind::kTimeout, "ldap: no answer in time");
    if (user == "slow") return fail(ErrorKind::kConflict, "too many failed logins; not asked");
    if (user != "me" || !right) return std::nullopt;
    return "me@canonical";
  }
  net::Awaitable<LoginVerdict> password(LoginTry, std::string user, std::string password) override {
    co_return answer(user, password == "pass");
  }
  net::Awaitable<LoginVerdict> token(LoginTry, std::string user, std::string token) override {
    co_return answer(user, token == "token");
  }
  net::Awaitable<Result<auth::Secret>> secret(LoginTry, std::string user) override {
    if (user == "hung") co_return fail(ErrorKind::kTimeout, "no answer");
    co_return auth::fake_secret("key", user, 1);
  }
  net::Awaitable<LoginVerdict> proven(LoginTry, std::string user) override { co_return answer(user, true); }
  net::Awaitable<void> failed(LoginTry attempt, std::string user, std::string why, LoginEnd end) override {
    static constexpr const char* kEnds[] = {"wrong", "limited", "unavailable", "aborted"};
    failures.push_back(std::string(attempt.mechanism) + " " + user + " " + kEnds[static_cast<int>(end)] + ": " + why);
    co_return;
  }
  void succeeded(LoginTry attempt, const std::string& user) override {
    successes.push_back(std::string(attempt.mechanism) + " " + user);
  }
};

std::shared_ptr<const tls::ServerContext> some_tls() {
  static int something = 0;
  return {std::shared_ptr<void>(), reinterpret_cast<const tls::ServerContext*>(&something)};
}

std::shared_ptr<ServerSettings> settings() {
  auto s = test_settings();
  s->offer_starttls = true;
  s->offer_auth = true;
  return s;
}

// The dialogue goes on inside TLS, after EHLO.
Played play_in_tls(std::string_view text, Authenticator& authenticator, RecordingReceiver& receiver,
                   tls::ChannelBinding binding = {}) {
  net::ScriptStream stream;
  stream.expect_line("220 mx.example ESMTP");
  stream.peer_sends("EHLO a\r\n").expect_line("250-mx.example").expect_line("250-PIPELINING").expect_line("250-SIZE");
  stream.expect_line("250-STARTTLS").expect_line("250-8BITMIME").expect_line("250-SMTPUTF8").expect_line("250-ENH");
  stream.expect_line("250-DSN").expect_line("250 CHUNKING").peer_sends("STARTTLS\r\n").expect_line("220 2.0.0");
  stream.tls(net::ScriptStream::trusted(), binding);
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with("C: ")) stream.peer_sends(std::string(line.substr(3)) + "\r\n");
    if (line.starts_with("S: ")) stream.expect_line(std::string(line.substr(3)));
  }
  ServerSession session(stream, receiver, settings(), "test", some_tls());
  session.set_authenticator(&authenticator);
  net::run_script(session.run());
  return {stream.problem(), stream.written(), stream.closed()};
}

const std::string kHello =
    "C: EHLO a\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN OAUTHBEARER "
    "CRAM-MD5\nS: 250-REQUIRETLS\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: 250-ENH\nS: 250-DSN\nS: 250 CHUNKING\n";
const std::string kHelloLoggedIn =
    "C: EHLO a\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250-REQUIRETLS\nS: 250-8BITMIME\nS: "
    "250-SMTPUTF8\nS: 250-ENH\nS: "
    "250-DSN\nS: 250 CHUNKING\n";
const std::string kQuit = "C: QUIT\nS: 221 2.0.0\n";

std::string coded(std::string_view text) {  // "|" for NUL
  std::string out(text);
  std::ranges::replace(out, '|', '\0');
  return base64(out);
}

TEST(Auth, Dialogues) {
  struct Case {
    const char* why;
    std::string text;
  };
  const std::string mail = "C: MAIL FROM:<a@b.example>\nS: 250 2.1.0\n";
  const Case cases[] = {
      {"plain, with an initial response", "C: AUTH PLAIN " + coded("|me|pass") + "\nS: 235 2.7.0\n"},
      {"plain, without", "C: auth plain\nS: 334 \nC: " + coded("|me|pass") + "\nS: 235 2.7.0\n"},
      {"login", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + coded("me") + "\nS: 334 UGFzc3dvcmQ6\nC: " + coded("pass") +
                    "\nS: 235 2.7.0\n"},
      {"login, the name at once",
       "C: AUTH LOGIN " + coded("me") + "\nS: 334 UGFzc3dvcmQ6\nC: " + coded("pass") + "\nS: 235 2.7.0\n"},
      {"bearer", "C: AUTH OAUTHBEARER " +
                     coded("n,a=me,\x01"
                           "auth=Bearer token\x01\x01") +
                     "\nS: 235 2.7.0\n"},
      {"a token refused: JSON first (RFC 7628 section 3.2.2)",
       "C: AUTH OAUTHBEARER " +
           coded("n,a=me,\x01"
                 "auth=Bearer other\x01\x01") +
           "\nS: 334 " + base64(R"({"status":"invalid_token"})") + "\nC: AQ==\nS: 535 5.7.8\n"},
      {"wrong password", "C: AUTH PLAIN " + coded("|me|wrong") + "\nS: 535 5.7.8 Authentication credentials invalid\n"},
      {"unknown user", "C: AUTH PLAIN " + coded("|ghost|pass") + "\nS: 535 5.7.8 Authentication credentials invalid\n"},
      {"a back end that hangs", "C: AUTH PLAIN " + coded("|hung|pass") + "\nS: 454 4.7.0\n"},
      {"a secret that is not to be had",
       "C: AUTH SCRAM-SHA-256 " + base64("n,,n=hung,r=abcdefgh") + "\nS: 454 4.7.0\n"},
      {"too many failures", "C: AUTH PLAIN " + coded("|slow|pass") + "\nS: 454 4.7.0\n"},
      {"cancelled", "C: AUTH PLAIN\nS: 334 \nC: *\nS: 501 5.7.0\n"},
      {"cancelled by nothing else", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: **\nS: 501 5.5.2\n"},
      {"not base64", "C: AUTH PLAIN\nS: 334 \nC: a b\nS: 501 5.5.2\n"},
      {"not base64 at once", "C: AUTH PLAIN !!!!\nS: 501 5.5.2\n"},
      {"base64 without its padding", "C: AUTH PLAIN AG1lAHBhc3M\nS: 501 5.5.2\n"},
      {"two initial responses", "C: AUTH PLAIN " + coded("|me|pass") + " " + coded("x") + "\nS: 501 5.5.2\n"},
      {"a space too much is none", "C: AUTH PLAIN \nS: 334 \nC: *\nS: 501 5.7.0\n"},
      {"= is an empty one", "C: AUTH PLAIN =\nS: 501 5.5.2\n"},
      {"= for login is an empty name",
       "C: AUTH LOGIN =\nS: 334 UGFzc3dvcmQ6\nC: " + coded("pass") + "\nS: 535 5.7.8\n"},
      {"malformed", "C: AUTH PLAIN " + coded("me") + "\nS: 501 5.5.2\n"},
      {"to act as another", "C: AUTH PLAIN " + coded("root|me|pass") + "\nS: 535 5.7.8\n"},
      {"no mechanism", "C: AUTH\nS: 501 5.5.4\n"},
      {"unknown mechanism", "C: AUTH GSSAPI\nS: 504 5.5.4\n"},
      {"a binding that is not there", "C: AUTH SCRAM-SHA-256-PLUS\nS: 504 5.5.4\n"},
      {"CRAM-MD5 with an initial response", "C: AUTH CRAM-MD5 " + coded("me") + "\nS: 501 5.5.2\n"},
      {"twice", "C: AUTH PLAIN " + coded("|me|pass") + "\nS: 235 2.7.0\nC: AUTH PLAIN " + coded("|me|pass") +
                    "\nS: 503 5.5.1\n"},
      {"again after a failure", "C: AUTH PLAIN " + coded("|me|wrong") + "\nS: 535 5.7.8\nC: AUTH PLAIN " +
                                    coded("|me|pass") + "\nS: 235 2.7.0\n"},
      {"in a transaction", mail + "C: AUTH PLAIN\nS: 503 5.5.1\n"},
      {"hidden once it is done",
       "C: AUTH PLAIN " + coded("|me|pass") + "\nS: 235 2.7.0\n" + kHelloLoggedIn + "C: AUTH PLAIN\nS: 503 5.5.1\n"},
      {"a long response", "C: AUTH PLAIN\nS: 334 \nC: " + std::string(12'287, 'A') + "\nS: 500 5.5.6\n"},
      {"a response as long as may be", "C: AUTH PLAIN\nS: 334 \nC: " + std::string(12'284, 'A') + "\nS: 501 5.5.2\n"},
      {"MAIL's parameter", "C: MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com\nS: 250 2.1.0\n"},
      {"MAIL's parameter, unknown", "C: MAIL FROM:<a@b.example> AUTH=<> SIZE=1\nS: 250 2.1.0\n"},
      {"MAIL's parameter, malformed",
       "C: MAIL FROM:<a@b.example> AUTH=+zz\nS: 501 5.5.4\nC: MAIL FROM:<a@b.example> AUTH\nS: 501 5.5.4\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    FakeAuthenticator authenticator;
    RecordingReceiver receiver;
    Played played = play_in_tls(kHello + c.text + kQuit, authenticator, receiver);
    EXPECT_EQ(played.problem, "");
    for (const std::string& failure : authenticator.failures) {
      EXPECT_THAT(failure, Not(HasSubstr("pass "))) << failure;
      EXPECT_THAT(failure, Not(HasSubstr("token\x01")));
    }
  }
}

TEST(Auth, WhoHasLoggedInIsKnownToTheReceiver) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  Played played = play_in_tls(
      kHello + "C: AUTH PLAIN " + coded("|me|pass") + "\nS: 235 2.7.0\nC: MAIL FROM:<a@b.example>\nS: 250\n",
      authenticator, receiver);
  EXPECT_EQ(played.problem, "");
  EXPECT_EQ(receiver.last.user, "me@canonical");
  EXPECT_EQ(receiver.last.mechanism, "PLAIN");
  EXPECT_THAT(authenticator.successes, ElementsAre("PLAIN me@canonical"));
  EXPECT_TRUE(authenticator.failures.empty());
}

TEST(Auth, WhatIsToldOfFailures) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  play_in_tls(kHello + "C: AUTH PLAIN " + coded("|me|secret!") + "\nS: 535\nC: AUTH PLAIN " + coded("|hung|x") +
                  "\nS: 454\nC: AUTH LOGIN " + coded("me") + "\nS: 334\nC: *\nS: 501\nC: AUTH PLAIN " +
                  coded("|slow|x") + "\nS: 454\n",
              authenticator, receiver);
  EXPECT_THAT(
      authenticator.failures,
      ElementsAre("PLAIN me wrong: wrong user or password", "PLAIN hung unavailable: ldap: no answer in time",
                  "LOGIN  aborted: cancelled by the client", "PLAIN slow limited: too many failed logins; not asked"));
}

TEST(Auth, PlusIsOfferedWhereTlsCanBeBound) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  std::string hello = kHello;
  hello.replace(hello.find("AUTH SCRAM"), 10, "AUTH SCRAM-SHA-256-PLUS SCRAM");
  Played played = play_in_tls(hello + "C: AUTH SCRAM-SHA-256 " + base64("y,,n=me,r=abcdefgh") +
                                  "\nS: 535 5.7.8\nC: AUTH SCRAM-SHA-256-PLUS " +
                                  base64("p=tls-exporter,,n=me,r=abcdefgh") + "\nS: 334 ",
                              authenticator, receiver, {"tls-exporter", "binding"});
  EXPECT_EQ(played.problem, "");
}

TEST(Auth, NotInTheClear) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  net::ScriptStream stream;
  script(stream,
         "C: EHLO a\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: "
         "250-ENH\nS: 250-DSN\nS: "
         "250 CHUNKING\nC: AUTH PLAIN " +
             coded("|me|pass") +
             "\nS: 538 5.7.11\nC: MAIL FROM:<a@b.example> AUTH=<>\nS: 555 5.5.4\nC: QUIT\nS: 221\n");
  ServerSession session(stream, receiver, settings(), "test");
  session.set_authenticator(&authenticator);
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
  EXPECT_TRUE(authenticator.failures.empty());
}

TEST(Auth, NotWhereTheListenerDoesNotOfferIt) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  net::ScriptStream stream;
  script(stream,
         "C: EHLO a\nS: 250-mx.example\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250-8BITMIME\nS: 250-SMTPUTF8\nS: "
         "250-ENH\nS: 250-DSN\nS: "
         "250 CHUNKING\nC: AUTH PLAIN\nS: 502 5.5.1\nC: QUIT\nS: 221\n");
  ServerSession session(stream, receiver, test_settings(), "test");
  session.set_authenticator(&authenticator);
  net::run_script(session.run());
  EXPECT_EQ(stream.problem(), "");
}

TEST(Auth, BeforeHello) {
  FakeAuthenticator authenticator;
  RecordingReceiver receiver;
  EXPECT_EQ(
      play_in_tls("C: AUTH PLAIN " + coded("|me|pass") + "\nS: 503 5.5.1\n" + kQuit, authenticator, receiver).problem,
      "");
}

// The peer goes away, or the network fails, at every step: nobody is logged in by that.
TEST(Auth, AnErrorAtEveryStep) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (ErrorKind kind : {ErrorKind::kClosed, ErrorKind::kTimeout}) {
      FakeAuthenticator authenticator;
      RecordingReceiver receiver;
      net::ScriptStream stream;
      stream.peer_sends("EHLO a\r\n")
          .peer_sends("STARTTLS\r\n")
          .tls()
          .peer_sends("EHLO a\r\n")
          .peer_sends("AUTH LOGIN\r\n");
      stream.peer_sends(coded("me") + "\r\n").peer_sends(coded("wrong") + "\r\n").peer_sends("QUIT\r\n");
      stream.fail_at({at, kind});
      ServerSession session(stream, receiver, settings(), "test", some_tls());
      session.set_authenticator(&authenticator);
      net::run_script(session.run());
      EXPECT_TRUE(stream.closed());
      EXPECT_TRUE(authenticator.successes.empty());
    }
  }
}

}  // namespace
}  // namespace sidegate::smtp::server_auth_test
