#include "deliver/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "base/text.h"
#include "deliver/probe_advice.h"
#include "net/socket.h"
#include "test_certificates.h"

namespace sidegate::deliver::probe_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// --- the advice

smtp::Trouble refused(int code, const char* text) {
  smtp::Trouble trouble{smtp::Phase::kAuth, mail::Reply(code, text), {ErrorKind::kAuth, text}};
  return trouble;
}
RelaySettings relay(std::uint16_t port = 587, TlsMode tls = TlsMode::kStartTls) {
  RelaySettings r;
  r.name = "isp";
  r.host = "smtp.isp.example";
  r.port = port;
  r.tls = tls;
  r.user = "me@isp.example";
  r.password = "p4ssw0rd";
  return r;
}

TEST(ProbeAdvice, Connect) {
  struct Case {
    std::uint16_t port;
    ErrorKind kind;
    const char *cause, *cure;
  };
  for (const Case& c :
       {Case{25, ErrorKind::kTimeout, "most home lines", "587"}, Case{587, ErrorKind::kTimeout, "firewall", "465"},
        Case{465, ErrorKind::kRefused, "nothing listens on port 465", "587"},
        Case{587, ErrorKind::kUnreachable, "no way to that address", "network is up"}}) {
    ProbeAdvice advice = advise_connect(relay(c.port), {c.kind, "x"});
    EXPECT_THAT(advice.cause, HasSubstr(c.cause));
    EXPECT_THAT(advice.cure, HasSubstr(c.cure));
  }
}

TEST(ProbeAdvice, Auth) {
  struct Case {
    int code;
    const char *text, *cause, *cure;
  };
  for (const Case& c :
       {Case{535, "authentication failed", "does not accept this user and password", "app password"},
        Case{534, "Application-specific password required", "usual password", "app password"},
        Case{535, "SmtpClientAuthentication is disabled for the Tenant", "switched off", "switch it on"},
        Case{454, "temporary failure", "cannot check passwords now", "wait"},
        Case{530, "must issue STARTTLS", "wants TLS", "starttls"}}) {
    ProbeAdvice advice = advise_auth(relay(), refused(c.code, c.text));
    EXPECT_THAT(advice.cause, HasSubstr(c.cause)) << c.text;
    EXPECT_THAT(advice.cure, HasSubstr(c.cure)) << c.text;
  }
  RelaySettings bare = relay();
  bare.user = "me";
  EXPECT_THAT(advise_auth(bare, refused(535, "no")).cure, HasSubstr("whole mail address"));
}

TEST(ProbeAdvice, Certificate) {
  struct Case {
    const char* why;
    std::vector<std::string> names;
    int days;
    const char* cure;
  };
  for (const Case& c :
       {Case{"certificate is for mx.isp.example; you asked for smtp.isp.example",
             {"mx.isp.example"},
             9,
             "set `host` to a name"},
        Case{"certificate expired 3 days ago", {"a"}, -4, "must renew"},
        Case{"certificate is self-signed", {"a"}, 9, "tls_fingerprints = [\"sha256:00\"]"},
        Case{"certificate is signed by an unknown CA (x is not among the system's CAs)", {"a"}, 9, "tls_ca_file"}}) {
    tls::Verdict verdict;
    verdict.why = c.why;
    verdict.names = c.names;
    verdict.days_left = c.days;
    verdict.fingerprint = "sha256:00";
    verdict.issuer = "x";
    ProbeAdvice advice = advise_certificate(relay(), verdict);
    EXPECT_THAT(advice.cause, HasSubstr(c.why));
    EXPECT_THAT(advice.cure, HasSubstr(c.cure));
  }
}

TEST(ProbeAdvice, Mail) {
  ProbeAdvice advice =
      advise_mail(relay(), "root@localhost", refused(550, "5.7.60 not allowed to send as this sender"));
  EXPECT_THAT(advice.cause, HasSubstr("<root@localhost>"));
  EXPECT_THAT(advice.cure, HasSubstr("account's own address"));
  EXPECT_THAT(advice.cure, HasSubstr("identity = \"account\""));
}

// --- the form

TEST(ProbeFormat, TextAndJson) {
  ProbeStep step{"auth",
                 ProbeMark::kFailed,
                 "PLAIN: 535 \"no\"",
                 "bad password",
                 "make an app password",
                 {{"mechanisms", std::vector<std::string>{"PLAIN", "LO\\GIN"}},
                  {"days", std::int64_t(-3)},
                  {"tls", true},
                  {"bad", std::string("\xff\n")}}};
  EXPECT_EQ(probe_text(step, false),
            "FAILED auth        PLAIN: 535 \"no\"\n"
            "                   cause: bad password\n"
            "                   cure:  make an app password\n");
  EXPECT_THAT(probe_text(step, true), HasSubstr("\x1b[31mFAILED\x1b[0m"));
  EXPECT_EQ(
      probe_json(step),
      R"({"step":"auth","ok":false,"mark":"failed","text":"PLAIN: 535 \"no\"","cause":"bad password",)"
      R"("cure":"make an app password","mechanisms":["PLAIN","LO\\GIN"],"days":-3,"tls":true,"bad":"\\xff\\x0a"})");
}

// --- the dialogue, with a peer on the same loop

struct PeerScript {
  std::string greeting = "220 mx ESMTP", before = "250-mx\r\n250-STARTTLS\r\n250 PIPELINING",
              after = "250-mx\r\n250 AUTH PLAIN LOGIN";
  std::string auth = "235 2.7.0 ok", mail = "250 ok";
  std::string starttls = "220 go";
  bool implicit_tls = false, cut_handshake = false;
};

net::Awaitable<void> play(std::unique_ptr<net::Stream> stream, std::shared_ptr<tls::ServerContext> context,
                          PeerScript script, std::vector<std::string>* seen) {
  auto say = [](std::string line) -> std::string { return line + "\r\n"; };
  stream->expires_after(std::chrono::seconds(20));
  if (script.implicit_tls) {
    Status secured = co_await stream->start_tls_server(context);
    if (!secured) co_return;
  }
  std::string out = say(script.greeting);
  for (int i = 0; i < 50; ++i) {
    Status written = co_await stream->write(out);
    if (!written) co_return;
    Result<std::string_view> line = co_await stream->read_line(4096, 65536);
    if (!line) co_return;
    seen->emplace_back(*line);
    std::string verb = upper(line->substr(0, 4));
    if (verb == "STAR") {
      out = say(script.starttls);
      written = co_await stream->write(out);
      out.clear();
      if (script.cut_handshake) co_return;
      if (!script.starttls.starts_with("220")) continue;
      Status secured = co_await stream->start_tls_server(context);
      if (!secured) co_return;
    } else {
      out = say(verb == "EHLO"   ? (stream->is_tls() ? script.after : script.before)
                : verb == "AUTH" ? script.auth
                : verb == "MAIL" ? script.mail
                : verb == "QUIT" ? "221 bye"
                                 : "250 ok");
    }
  }
}

struct ProbeRun : ::testing::Test {
  test::TestCa ca;
  std::vector<ProbeStep> steps;
  std::vector<std::string> seen;
  std::string transcript;
  bool good = false;

  net::Awaitable<void> run_probe(net::Loop& loop, dns::Resolver& resolver, RelaySettings settings,
                                 ProbeOptions options) {
    std::function<void(const ProbeStep&)> sink = [this](const ProbeStep& step) { steps.push_back(step); };
    good = co_await probe(loop, resolver, std::move(settings), std::move(options), std::move(sink));
    loop.stop();
  }

  std::optional<std::string> sender;

  void run(PeerScript script, RelaySettings settings, test::CertificateWish wish = {.names = {"smtp.isp.example"}},
           std::string host = "[127.0.0.1]") {
    auto issued = ca.issue(wish);
    auto context = *tls::ServerContext::make({issued.cert_file, issued.key_file});
    net::Loop loop(0, system_clock(), null_log());
    auto fds = *net::bind_listener({"127.0.0.1", 0}, 1);
    if (settings.port != 1) settings.port = static_cast<std::uint16_t>(net::bound_port(fds[0]));
    net::Acceptor acceptor(loop, fds[0], [&](std::unique_ptr<net::Stream> stream) {
      loop.spawn("peer", play(std::move(stream), context, script, &seen));
    });
    settings.host = std::move(host);
    settings.tls_name = "smtp.isp.example";
    settings.tls_ca_file = ca.ca_file();
    dns::Resolver resolver({}, system_clock());
    ProbeOptions options;
    options.hostname = "me.example";
    options.patience = Duration(5'000);
    options.sender = sender;
    options.transcript = [this](char direction, std::string_view line) {
      transcript += fmt::format("{}: {}\n", direction, line);
    };
    acceptor.start();
    loop.spawn("probe", run_probe(loop, resolver, std::move(settings), std::move(options)));
    loop.run();
    acceptor.stop();
    for (const ProbeStep& step : steps) {
      EXPECT_THAT(probe_json(step), Not(HasSubstr("p4ssw0rd")));
      if (!step.ok() && step.name != "result")
        EXPECT_FALSE(step.cause.empty() || step.cure.empty()) << step.name << step.text;
    }
    EXPECT_THAT(transcript, Not(HasSubstr("cDRzc3cwcmQ")));
    for (const std::string& line : seen) EXPECT_FALSE(line.starts_with("RCPT") || line.starts_with("DATA")) << line;
  }

  std::string marks() const {
    std::string text;
    for (const ProbeStep& step : steps) {
      text += (text.empty() ? "" : " ") + step.name +
              (step.mark == ProbeMark::kGood   ? ""
               : step.mark == ProbeMark::kNote ? "?"
                                               : "!");
    }
    return text;
  }
  bool saw(std::string_view prefix) const {
    return std::ranges::any_of(seen, [&](const std::string& line) { return line.starts_with(prefix); });
  }
  const ProbeStep& step(std::string_view name) const {
    return *std::ranges::find_if(steps, [&](const ProbeStep& s) { return s.name == name; });
  }
};

TEST_F(ProbeRun, AllIsWell) {
  run({}, relay());
  EXPECT_TRUE(good);
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls tls certificate ehlo_tls mechanisms auth mail result");
  EXPECT_THAT(step("auth").text, HasSubstr("PLAIN as me@isp.example"));
  EXPECT_THAT(step("certificate").text, HasSubstr("verified"));
  EXPECT_THAT(transcript, HasSubstr("C: AUTH PLAIN ****\n"));
  EXPECT_THAT(transcript, HasSubstr("C: MAIL FROM:<me@isp.example>\nS: 250 ok\nC: RSET\n"));
  EXPECT_THAT(transcript, HasSubstr("C: QUIT\n"));
}

TEST_F(ProbeRun, ImplicitTls) {
  run({.implicit_tls = true}, relay(465, TlsMode::kImplicit));
  EXPECT_TRUE(good);
  EXPECT_EQ(marks(), "dns connect tls certificate greeting ehlo_tls mechanisms auth mail result");
}

TEST_F(ProbeRun, ImplicitTlsWhereStartTlsIsMeant) {
  run({}, relay(465, TlsMode::kImplicit));
  EXPECT_EQ(marks(), "dns connect tls! result!");
  EXPECT_THAT(step("tls").cure, HasSubstr("starttls"));
}

TEST_F(ProbeRun, NoStartTls) {
  run({.before = "250-mx\r\n250 AUTH PLAIN"}, relay());
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls! port465? result!");
  EXPECT_THAT(step("starttls").cure, HasSubstr("465"));
  EXPECT_FALSE(saw("AUTH") || saw("MAIL"));
}

// As mail by such a relay goes: TLS where it is offered and works, and without it where not.
TEST_F(ProbeRun, OpportunisticTlsIsNoObstacle) {
  RelaySettings settings = relay(25, TlsMode::kOpportunistic);
  settings.user.clear();
  sender = "me@isp.example";
  run({.before = "250-mx\r\n250 PIPELINING"}, settings);
  EXPECT_TRUE(good);
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls? mechanisms? mail result");
  EXPECT_THAT(step("starttls").cause, HasSubstr("in the clear"));
  steps.clear();
  run({}, settings);
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls tls certificate ehlo_tls mechanisms? mail result");
  steps.clear();
  run({.starttls = "454 4.7.0 not now"}, settings);
  EXPECT_TRUE(good);
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls? connect greeting ehlo mechanisms? mail result");
  steps.clear();
  run({.cut_handshake = true}, settings);
  EXPECT_TRUE(good);
  EXPECT_EQ(marks(), "dns connect greeting ehlo tls? connect greeting ehlo mechanisms? mail result");
}

TEST_F(ProbeRun, TlsThatIsDemandedAndBreaks) {
  run({.cut_handshake = true}, relay());
  EXPECT_EQ(marks(), "dns connect greeting ehlo tls! result!");
  EXPECT_FALSE(saw("AUTH") || saw("MAIL"));
}

TEST_F(ProbeRun, TheNullSender) {
  sender = "";
  run({}, relay());
  EXPECT_TRUE(saw("MAIL FROM:<>"));
}

TEST_F(ProbeRun, AnotherNamesCertificate) {
  run({}, relay(), {.names = {"other.example"}});
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls tls certificate! ehlo_tls mechanisms! result!");
  EXPECT_THAT(step("certificate").cure, HasSubstr("other.example"));
  EXPECT_FALSE(saw("AUTH") || saw("MAIL"));
}

TEST_F(ProbeRun, AnExpiredCertificate) {
  run({}, relay(), {.names = {"smtp.isp.example"}, .begins_in_days = -10, .ends_in_days = -2});
  EXPECT_THAT(step("certificate").cause, HasSubstr("certificate expired 2 days ago"));
  EXPECT_THAT(step("certificate").text, HasSubstr("; expired 2 days ago"));
  EXPECT_FALSE(saw("AUTH"));
}

TEST_F(ProbeRun, WrongPassword) {
  run({.auth = "535 5.7.8 bad credentials"}, relay());
  EXPECT_EQ(marks(), "dns connect greeting ehlo starttls tls certificate ehlo_tls mechanisms auth! result!");
  EXPECT_THAT(step("auth").text, HasSubstr("535 5.7.8 bad credentials"));
  EXPECT_FALSE(saw("MAIL"));
}

TEST_F(ProbeRun, NoCommonMechanism) {
  run({.after = "250-mx\r\n250 AUTH XOAUTH2 NTLM"}, relay());
  EXPECT_THAT(step("mechanisms").cause, HasSubstr("offered XOAUTH2 NTLM (with verified TLS)"));
  EXPECT_FALSE(saw("AUTH"));
}

TEST_F(ProbeRun, SenderRefused) {
  run({.mail = "553 5.7.1 sender not owned by user"}, relay());
  EXPECT_THAT(step("mail").cure, HasSubstr("account's own address"));
  EXPECT_FALSE(good);
}

TEST_F(ProbeRun, NothingListens) {
  run({}, relay(1));
  EXPECT_EQ(marks(), "dns connect! connect! port465? result!");
  EXPECT_THAT(steps[1].cause, HasSubstr("nothing listens on port 1"));
}

TEST_F(ProbeRun, AFamilyThatDoesNotAnswerIsNoObstacle) {
  run({}, relay(), {.names = {"smtp.isp.example"}}, "localhost");  // the peer listens on 127.0.0.1 alone
  EXPECT_TRUE(good);
  for (const ProbeStep& step : steps) EXPECT_TRUE(step.ok()) << step.name << step.text;
}

TEST_F(ProbeRun, NoMailServer) {
  run({.greeting = "SSH-2.0-OpenSSH_9.2"}, relay());
  EXPECT_EQ(marks(), "dns connect greeting! result!");
  EXPECT_THAT(step("greeting").cause, HasSubstr("no mail server"));
}

}  // namespace
}  // namespace sidegate::deliver::probe_test
