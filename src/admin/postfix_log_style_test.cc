#include "admin/postfix_log_style.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <regex>

namespace sidegate::admin::postfix_log_style_test {
namespace {

using testing::HasSubstr;
using testing::Not;

const WallTime kAt{std::chrono::milliseconds(1'700'000'000'123)};

std::string line(std::string_view event, LogFields fields, LogLevel level = LogLevel::kInfo) {
  setenv("TZ", "UTC", 1);
  return postfix_log_style("gate", 4711)->line(kAt, level, event, fields);
}

std::string accepted() {
  return line("accepted", {{"id", "0DPQJXK3G8001"},
                           {"from", "me@example.org"},
                           {"size", 1234},
                           {"nrcpt", 2},
                           {"client", "192.0.2.7"},
                           {"helo", "pc"},
                           {"protocol", "ESMTPS"},
                           {"msgid", "<1@example.org>"},
                           {"user", ""}});
}
std::string delivery(std::string_view status, std::string_view dsn, std::string_view reply) {
  return line("delivery", {{"id", "0DPQJXK3G8001"},
                           {"to", "you@example.net"},
                           {"relay", "smtp.example[192.0.2.1]:587"},
                           {"delay", 1.234},
                           {"delays", "0/0.1/0.5/0.634"},
                           {"dsn", dsn},
                           {"status", status},
                           {"reply", reply},
                           {"uncertain", false}});
}

TEST(PostfixStyle, FailedLoginsAsFail2banReadsThem) {
  auto failed = [](const char* mechanism, const char* end, const char* error) {
    return line("auth_failed",
                {{"client", "192.0.2.7"}, {"mechanism", mechanism}, {"user", "a b"}, {"error", error}, {"end", end}},
                LogLevel::kWarning);
  };
  const std::string start = "Nov 14 22:13:20 gate postfix/smtpd[4711]: warning: unknown[192.0.2.7]: ";
  EXPECT_EQ(failed("PLAIN", "wrong", "wrong user or password"),
            start + "SASL PLAIN authentication failed: wrong user or password, sasl_username=a_b");
  EXPECT_EQ(failed("SCRAM-SHA-256", "limited", "too many"),
            start + "SASL LOGIN authentication failed: SCRAM-SHA-256: too many, sasl_username=a_b");
  EXPECT_EQ(
      failed("LOGIN", "unavailable", "pam: down"),
      start +
          "SASL LOGIN authentication failed: Connection lost to authentication server: pam: down, sasl_username=a_b");
  EXPECT_EQ(failed("LOGIN", "aborted", "cancelled"),
            start + "SASL LOGIN authentication aborted: cancelled, sasl_username=a_b");
}

TEST(PostfixStyle, WritesWhatPostfixWrites) {
  EXPECT_EQ(accepted(),
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: 0DPQJXK3G8001: client=unknown[192.0.2.7]\n"
            "Nov 14 22:13:20 gate postfix/cleanup[4711]: 0DPQJXK3G8001: message-id=<1@example.org>\n"
            "Nov 14 22:13:20 gate postfix/qmgr[4711]: 0DPQJXK3G8001: from=<me@example.org>, size=1234, nrcpt=2 (queue "
            "active)");
  EXPECT_TRUE(
      line("accepted", {{"id", "0DPQJXK3G8001"}, {"from", "a@x"}, {"client", "unix"}, {"user", "jo"}, {"uid", "1000"}})
          .starts_with("Nov 14 22:13:20 gate postfix/pickup[4711]: 0DPQJXK3G8001: uid=1000 from=<a@x>\n"));
  EXPECT_EQ(delivery("sent", "2.0.0", "250 2.0.0 ok"),
            "Nov 14 22:13:20 gate postfix/smtp[4711]: 0DPQJXK3G8001: to=<you@example.net>, "
            "relay=smtp.example[192.0.2.1]:587, delay=1.23, delays=0/0.1/0.5/0.63, dsn=2.0.0, status=sent "
            "(250 2.0.0 ok)");
  auto on_this_machine = [](std::string_view transport, std::string_view relay, std::string_view original) {
    return line("delivery", {{"id", "0DPQJXK3G8001"},
                             {"to", "bob@here.example"},
                             {"orig_to", original},
                             {"relay", relay},
                             {"transport", transport},
                             {"delay", 0.1},
                             {"delays", "0/0.1/0/0"},
                             {"dsn", "2.0.0"},
                             {"status", "sent"},
                             {"reply", "delivered to mailbox"}});
  };
  EXPECT_EQ(on_this_machine("local", "local", "postmaster@here.example"),
            "Nov 14 22:13:20 gate postfix/local[4711]: 0DPQJXK3G8001: to=<bob@here.example>, "
            "orig_to=<postmaster@here.example>, relay=local, delay=0.1, delays=0/0.1/0/0, dsn=2.0.0, status=sent "
            "(delivered to mailbox)");
  EXPECT_EQ(on_this_machine("lmtp", "gate.example[/run/lmtp]", ""),
            "Nov 14 22:13:20 gate postfix/lmtp[4711]: 0DPQJXK3G8001: to=<bob@here.example>, "
            "relay=gate.example[/run/lmtp], delay=0.1, delays=0/0.1/0/0, dsn=2.0.0, status=sent "
            "(delivered to mailbox)");
  EXPECT_EQ(line("removed", {{"id", "0DPQJXK3G8001"}}),
            "Nov 14 22:13:20 gate postfix/qmgr[4711]: 0DPQJXK3G8001: removed");
  EXPECT_EQ(line("connect", {{"client", "192.0.2.7"}}),
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: connect from unknown[192.0.2.7]");
  EXPECT_EQ(line("connect", {{"client", "192.0.2.7"}, {"client_name", "mx.example"}}),
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: connect from mx.example[192.0.2.7]");
  EXPECT_EQ(
      line("disconnect", {{"client", "192.0.2.7"},
                          {"listener", "in"},
                          {"commands", "ehlo=1 mail=1 rcpt=1/2 quit=1 commands=4/5"},
                          {"end", "quit"},
                          {"after", "QUIT"}}),
      "Nov 14 22:13:20 gate postfix/smtpd[4711]: disconnect from unknown[192.0.2.7] ehlo=1 mail=1 rcpt=1/2 quit=1 "
      "commands=4/5");
  EXPECT_EQ(line("disconnect",
                 {{"client", "192.0.2.7"}, {"commands", "commands=0/0"}, {"end", "lost"}, {"after", "CONNECT"}}),
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: lost connection after CONNECT from unknown[192.0.2.7]\n"
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: disconnect from unknown[192.0.2.7] commands=0/0");
  EXPECT_THAT(line("disconnect", {{"client", "192.0.2.7"}, {"end", "timeout"}, {"after", "DATA"}}),
              HasSubstr("timeout after DATA from unknown[192.0.2.7]\n"));
  const LogFields tls = {
      {"relay", "isp"}, {"host", "smtp.example"}, {"address", "192.0.2.1:587"},         {"verified", true},
      {"why", ""},      {"version", "TLSv1.3"},   {"cipher", "TLS_AES_256_GCM_SHA384"}, {"bits", 256},
      {"days_left", 60}};
  EXPECT_EQ(line("tls", tls),
            "Nov 14 22:13:20 gate postfix/smtp[4711]: Verified TLS connection established to "
            "smtp.example[192.0.2.1]:587: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)");
  EXPECT_THAT(line("tls", {{"host", "h"}, {"address", "[2001:db8::1]:465"}, {"verified", false}, {"why", "expired"}}),
              HasSubstr("Untrusted TLS connection established to h[2001:db8::1]:465: "));
  EXPECT_EQ(line("refused", {{"client", "192.0.2.7"},
                             {"helo", "pc"},
                             {"from", "a@b"},
                             {"to", "c@d"},
                             {"reply", "554 5.7.1 Relay access denied"}}),
            "Nov 14 22:13:20 gate postfix/smtpd[4711]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 Relay "
            "access denied; from=<a@b> to=<c@d> proto=ESMTP helo=<pc>");
  EXPECT_EQ(
      line("report",
           {{"id", "R"}, {"about", "X"}, {"to", "a@b"}, {"kind", "delay"}, {"size", 1000}, {"msgid", "<r@gate>"}}),
      "Nov 14 22:13:20 gate postfix/bounce[4711]: X: sender delay notification: R\n"
      "Nov 14 22:13:20 gate postfix/cleanup[4711]: R: message-id=<r@gate>\n"
      "Nov 14 22:13:20 gate postfix/qmgr[4711]: R: from=<>, size=1000, nrcpt=1 (queue active)");
  EXPECT_EQ(line("started", {{"hostname", "a b"}, {"n", 3}}, LogLevel::kWarning),
            "Nov 14 22:13:20 gate postfix/master[4711]: warning: started hostname=\"a b\" n=3");
}

TEST(PostfixStyle, TheSyslogPartIsLeftOutWithoutAHost) {
  EXPECT_EQ(postfix_log_style("", 1)->line(kAt, LogLevel::kInfo, "removed", {{"id", "X"}}),
            "postfix/qmgr[1]: X: removed");
}

// What readers look for, as their own expressions say it (pflogsumm 1.1.5, fail2ban's filter postfix,
// postfix_exporter).
TEST(PostfixStyle, ReadersUnderstandIt) {
  const std::regex pflogsumm(
      R"(^(...) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) \S+ (?:postfix)(?:/(?:smtps|submission))?/([^\[:]*).*?: ([^:\s]+): to=<([^>]*)>, (?:orig_to=<[^>]*>, )?relay=([^,]+), (?:conn_use=[^,]+, )?delay=([^,]+), (?:delays=[^,]+, )?(?:dsn=[^,]+, )?status=(\S+)(.*)$)");
  std::smatch m;
  std::string text = delivery("sent", "2.0.0", "250 ok");
  ASSERT_TRUE(std::regex_match(text, m, pflogsumm)) << text;
  EXPECT_EQ(m[8], "you@example.net");
  EXPECT_EQ(m[11], "sent");
  const std::regex exporter(R"(delays=(\S+)/(\S+)/(\S+)/(\S+), )");
  EXPECT_TRUE(std::regex_search(text, exporter));
  const std::regex exporter_tls(
      R"(^(\S+) TLS connection established to \S+: (\S+) with cipher (\S+) \((\d+)/(\d+) bits\))");
  text = line("tls", {{"host", "h"},
                      {"address", "192.0.2.1:587"},
                      {"verified", true},
                      {"version", "TLSv1.3"},
                      {"cipher", "X"},
                      {"bits", 256}});
  text = text.substr(text.find("]: ") + 3);
  EXPECT_TRUE(std::regex_search(text, exporter_tls)) << text;
  const std::regex fail2ban(
      R"(NOQUEUE: reject: RCPT from [^[]*\[(\S+)\](?::\d+)?: [45]50? ?\d?[^;]*|NOQUEUE: reject: RCPT from [^[]*\[(\S+)\](?::\d+)?: 554 5\.7\.1)");
  EXPECT_TRUE(std::regex_search(
      line("refused", {{"client", "192.0.2.7"}, {"to", "c@d"}, {"reply", "554 5.7.1 Relay access denied"}}), fail2ban));
}

TEST(PostfixStyle, NoValueLeavesItsPlace) {
  const std::string evil = "x>, status=sent (\r\nNov 14 22:13:20 gate postfix/smtpd[1]: connect from unknown[6.6.6.6]";
  for (const std::string& text :
       {line("delivery", {{"id", evil},
                          {"to", evil},
                          {"relay", evil},
                          {"delay", evil},
                          {"delays", evil},
                          {"dsn", evil},
                          {"status", "deferred"},
                          {"reply", evil}}),
        line("removed", {{"id", evil}}), line("connect", {{"client", evil}}), line("odd", {{"key", evil}})}) {
    EXPECT_THAT(text, Not(HasSubstr("\n")));
    EXPECT_THAT(text, Not(HasSubstr("\r")));
  }
  const std::string text =
      line("delivery", {{"id", "A"}, {"to", evil}, {"relay", evil}, {"status", "deferred"}, {"reply", "no"}});
  const std::regex first_status(R"(to=<[^>]*>, relay=[^,]+, delay=[^,]+, delays=[^,]+, dsn=[^,]+, status=(\S+))");
  std::smatch m;
  ASSERT_TRUE(std::regex_search(text, m, first_status)) << text;
  EXPECT_EQ(m[1], "deferred");
  EXPECT_EQ(std::ranges::count(accepted(), '\n'), 2);
}

TEST(PostfixStyle, Filters) {
  const auto filtered = [](std::string_view verdict) {
    return line("milter", {{"id", "0DPQJXK3G8001"},
                           {"milter", "rspamd"},
                           {"stage", "END-OF-MESSAGE"},
                           {"verdict", verdict},
                           {verdict == "failed" ? "error" : "reason", "because"},
                           {"client", "192.0.2.7"},
                           {"helo", "pc"},
                           {"protocol", "ESMTP"},
                           {"from", "me@example.org"},
                           {"to", ""}});
  };
  const std::string tail =
      ": END-OF-MESSAGE from unknown[192.0.2.7]: milter triggers HOLD action: because; from=<me@example.org> "
      "proto=ESMTP "
      "helo=<pc>";
  EXPECT_THAT(filtered("quarantine"), HasSubstr("postfix/cleanup[4711]: 0DPQJXK3G8001: milter-hold" + tail));
  EXPECT_THAT(filtered("discard"), HasSubstr("milter-discard: END-OF-MESSAGE from unknown[192.0.2.7]"));
  EXPECT_THAT(filtered("failed"), HasSubstr("warning: 0DPQJXK3G8001: milter rspamd: because at END-OF-MESSAGE"));
  // What is refused has a line of its own.
  EXPECT_EQ(filtered("reject") + filtered("change"), "");
  EXPECT_THAT(
      line("refused", {{"client", "192.0.2.7"}, {"command", "RCPT"}, {"reply", "550 5.7.1 no"}, {"milter", "rspamd"}}),
      HasSubstr("NOQUEUE: milter-reject: RCPT from unknown[192.0.2.7]: 550 5.7.1 no;"));
}

TEST(PostfixStyle, PflogsummCountsIt) {
  const char* tool = "/usr/sbin/pflogsumm";
  if (access(tool, X_OK) != 0) GTEST_SKIP() << "skipped: pflogsumm is not installed";
  const std::string path = testing::TempDir() + "sidegate-pflogsumm.log";
  FILE* file = std::fopen(path.c_str(), "w");
  std::fprintf(file, "%s\n%s\n%s\n%s\n", accepted().c_str(), delivery("sent", "2.0.0", "250 ok").c_str(),
               delivery("deferred", "4.2.0", "450 later").c_str(), delivery("bounced", "5.1.1", "550 no").c_str());
  std::fclose(file);
  FILE* run = popen((std::string(tool) + " " + path).c_str(), "r");
  std::string report;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, run)) > 0;) report.append(buffer, n);
  EXPECT_EQ(pclose(run), 0);
  std::remove(path.c_str());
  for (const char* expected :
       {"1   received", "1   delivered", "1   deferred", "1   bounced", "1234", "me@example.org", "you@example.net"})
    EXPECT_THAT(report, HasSubstr(expected));
}

}  // namespace
}  // namespace sidegate::admin::postfix_log_style_test
