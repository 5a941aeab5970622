#include "dsn/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::dsn::report_test {
namespace {

using mail::field_value;

const WallTime kArrived = WallTime(std::chrono::seconds(1'700'000'000));  // Tue, 14 Nov 2023 22:13:20 +0000

struct Part {
  std::string header, content;
};

// A small reader of what we write: the parts between the boundary that the header names.
std::vector<Part> parts_of(const Made& made) {
  const std::string type = field_value(made.header, "Content-Type");
  const std::size_t at = type.find("boundary=\"");
  if (at == type.npos) return {};
  const std::string boundary = type.substr(at + 10, type.find('"', at + 10) - at - 10);
  std::vector<Part> parts;
  const std::string delimiter = "\r\n--" + boundary;
  std::size_t from = made.body.find(delimiter);
  while (from != made.body.npos) {
    from += delimiter.size();
    if (made.body.compare(from, 4, "--\r\n") == 0) return parts;  // the last one
    const std::size_t end = made.body.find(delimiter, from);
    if (end == made.body.npos) break;
    const std::string part = made.body.substr(from + 2, end - from - 2);
    const std::size_t empty = part.find("\r\n\r\n");
    parts.push_back({part.substr(0, empty + 2), part.substr(empty + 4)});
    from = end;
  }
  ADD_FAILURE() << "no end of the parts";
  return {};
}

std::vector<std::string> groups_of(const std::string& status) {
  std::vector<std::string> groups;
  for (std::size_t at = 0; at < status.size();) {
    const std::size_t end = std::min(status.find("\r\n\r\n", at), status.size());
    groups.push_back(status.substr(at, end - at) + "\r\n");
    at = end + 4;
  }
  return groups;
}

void expect_clean(std::string_view text, bool eight_bit) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r') {
      ASSERT_TRUE(i + 1 < text.size() && text[i + 1] == '\n') << "bare CR at " << i;
    } else if (c == '\n') {
      ASSERT_TRUE(i > 0 && text[i - 1] == '\r') << "bare LF at " << i;
    } else {
      ASSERT_FALSE(is_control(c) && c != '\t') << "control character at " << i;
    }
    if (!eight_bit) {
      ASSERT_LT(static_cast<unsigned char>(c), 0x80) << "at " << i;
    }
  }
}

class ReportTest : public ::testing::Test {
 protected:
  ReportTest() {
    envelope.reverse_path = "sender@example.org";
    report.original_id = *QueueId::parse("0000000000ABC");
    report.id = *QueueId::parse("0000000000ABD");
    report.reporting_host = "mail.example.org";
    report.arrived = kArrived;
    report.now = kArrived + std::chrono::hours(1);
    report.envelope = &envelope;
    report.original_header = "From: <sender@example.org>\r\nSubject: hello\r\nMessage-ID: <1@example.org>\r\n";
    report.original_body = "\r\nThe body.\r\n";
  }
  RecipientReport& add(std::string address, Action action = Action::kFailed, mail::EnhancedCode status = {5, 1, 1}) {
    RecipientReport r;
    r.recipient.address = std::move(address);
    r.action = action;
    r.status = status;
    r.remote_host = "mx.example.com";
    r.diagnostic = "550 5.1.1 no such user here";
    r.explanation = "The address does not exist.";
    r.last_attempt = kArrived + std::chrono::minutes(59);
    report.recipients.push_back(std::move(r));
    return report.recipients.back();
  }
  std::string part(std::size_t n) { return parts_of(make_report(report)).at(n).content; }
  std::string group(std::size_t n) { return groups_of(part(1)).at(n); }

  mail::Envelope envelope;
  Report report;
};

TEST_F(ReportTest, HeaderOfAFailure) {
  add("nobody@example.com");
  const Made made = make_report(report);
  const struct {
    const char *name, *value;
  } cases[] = {
      {"From", "Mail Delivery System <MAILER-DAEMON@mail.example.org>"},
      {"To", "<sender@example.org>"},
      {"Subject", "Undelivered mail: your message could not be delivered"},
      {"Date", "Tue, 14 Nov 2023 23:13:20 +0000"},
      {"Auto-Submitted", "auto-replied"},
      {"MIME-Version", "1.0"},
      {"In-Reply-To", "<1@example.org>"},
      {"References", "<1@example.org>"},
      {"Message-ID", "<0000000000ABD.report@mail.example.org>"},
      {"Content-Transfer-Encoding", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(field_value(made.header, c.name), c.value) << c.name;
  EXPECT_TRUE(
      field_value(made.header, "Content-Type").starts_with("multipart/report; report-type=delivery-status; boundary="));
  EXPECT_TRUE(made.body.starts_with("\r\n"));
  EXPECT_FALSE(made.smtputf8);
  expect_clean(made.header + made.body, false);
}

TEST_F(ReportTest, PartsOfAFailure) {
  add("nobody@example.com");
  const auto parts = parts_of(make_report(report));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(field_value(parts[0].header, "Content-Type"), "text/plain; charset=us-ascii");
  for (const char* words :
       {"<nobody@example.com>", "The address does not exist.", "mx.example.com", "550 5.1.1 no such user here",
        "before the @", "0000000000ABC", "postmaster@mail.example.org"}) {
    EXPECT_NE(parts[0].content.find(words), std::string::npos) << words;
  }
  EXPECT_EQ(field_value(parts[1].header, "Content-Type"), "message/delivery-status");
  EXPECT_EQ(field_value(parts[2].header, "Content-Type"), "text/rfc822-headers");
  EXPECT_EQ(parts[2].content, report.original_header);
}

TEST_F(ReportTest, StatusFields) {
  envelope.envid = "QQ+2B314159";
  add("nobody@example.com").recipient.orcpt = "rfc822;alias+2Bx@example.net";
  const auto groups = groups_of(part(1));
  ASSERT_EQ(groups.size(), 2u);
  const struct {
    std::size_t group;
    const char *name, *value;
  } cases[] = {
      {0, "Original-Envelope-Id", "QQ+314159"},
      {0, "Reporting-MTA", "dns; mail.example.org"},
      {0, "Arrival-Date", "Tue, 14 Nov 2023 22:13:20 +0000"},
      {1, "Original-Recipient", "rfc822;alias+x@example.net"},
      {1, "Final-Recipient", "rfc822;nobody@example.com"},
      {1, "Action", "failed"},
      {1, "Status", "5.1.1"},
      {1, "Remote-MTA", "dns; mx.example.com"},
      {1, "Diagnostic-Code", "smtp; 550 5.1.1 no such user here"},
      {1, "Last-Attempt-Date", "Tue, 14 Nov 2023 23:12:20 +0000"},
      {1, "Will-Retry-Until", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(field_value(groups[c.group], c.name), c.value) << c.name;
}

TEST_F(ReportTest, ActionsAndTheirWords) {
  const struct {
    Action action;
    mail::EnhancedCode status;
    const char *word, *code, *subject;
  } cases[] = {
      {Action::kFailed, {5, 2, 2}, "failed", "5.2.2", "Undelivered"},
      {Action::kFailed, {4, 4, 7}, "failed", "4.4.7", "Undelivered"},
      {Action::kFailed, {}, "failed", "5.0.0", "Undelivered"},
      {Action::kDelayed, {4, 4, 1}, "delayed", "4.4.1", "Delayed"},
      {Action::kDelayed, {}, "delayed", "4.0.0", "Delayed"},
      {Action::kDelivered, {2, 1, 5}, "delivered", "2.1.5", "Delivered"},
      {Action::kRelayed, {}, "relayed", "2.0.0", "Relayed"},
      {Action::kExpanded, {2, 0, 0}, "expanded", "2.0.0", "Expanded"},
  };
  for (const auto& c : cases) {
    report.recipients.clear();
    add("someone@example.com", c.action, c.status).will_retry_until = kArrived + std::chrono::hours(120);
    EXPECT_EQ(field_value(group(1), "Action"), c.word);
    EXPECT_EQ(field_value(group(1), "Status"), c.code);
    EXPECT_TRUE(field_value(make_report(report).header, "Subject").starts_with(c.subject));
    EXPECT_EQ(field_value(group(1), "Will-Retry-Until"),
              c.action == Action::kDelayed ? "Sun, 19 Nov 2023 22:13:20 +0000" : "");
    EXPECT_EQ(part(0).find("It is tried until") != std::string::npos, c.action == Action::kDelayed);
  }
}

TEST_F(ReportTest, OneReportForAllRecipients) {
  add("a@example.com");
  add("b@example.com", Action::kFailed, {5, 2, 2});
  add("c@example.com", Action::kRelayed, {2, 0, 0});
  const auto groups = groups_of(part(1));
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(field_value(groups[3], "Action"), "relayed");
  EXPECT_EQ(field_value(make_report(report).header, "Subject"), "Mail delivery report");
}

TEST_F(ReportTest, WhatComesBack) {
  const std::string eight_bit_body = "\r\ncaf\xc3\xa9\r\n", long_line = "\r\n" + std::string(2000, 'x') + "\r\n";
  const struct {
    const char* why;
    bool full;
    mail::Ret ret;
    Action action;
    std::string body;
    const char *type, *encoding;
  } cases[] = {
      {"header by default", false, mail::Ret::kUnspecified, Action::kFailed, "\r\nx\r\n", "text/rfc822-headers", ""},
      {"full", true, mail::Ret::kFull, Action::kFailed, "\r\nx\r\n", "message/rfc822", ""},
      {"full, no body", true, mail::Ret::kFull, Action::kFailed, "", "message/rfc822", ""},
      {"full for failures alone", true, mail::Ret::kFull, Action::kDelayed, "\r\nx\r\n", "text/rfc822-headers", ""},
      {"success", true, mail::Ret::kFull, Action::kDelivered, "\r\nx\r\n", "text/rfc822-headers", ""},
      {"eight bits", true, mail::Ret::kFull, Action::kFailed, eight_bit_body, "message/rfc822", "8bit"},
      {"eight bits not returned", false, mail::Ret::kFull, Action::kFailed, eight_bit_body, "text/rfc822-headers", ""},
      {"long lines", true, mail::Ret::kFull, Action::kFailed, long_line, "message/rfc822", ""},
  };
  for (const auto& c : cases) {
    report.recipients.clear();
    add("a@example.com", c.action);
    report.return_full = c.full;
    envelope.ret = c.ret;
    report.original_body = c.body;
    const Made made = make_report(report);
    const auto parts = parts_of(made);
    EXPECT_EQ(field_value(parts.at(2).header, "Content-Type"), c.type) << c.why;
    EXPECT_EQ(field_value(parts.at(2).header, "Content-Transfer-Encoding"), c.encoding) << c.why;
    EXPECT_EQ(field_value(made.header, "Content-Transfer-Encoding"), c.encoding) << c.why;
    if (std::string_view(c.type) == "message/rfc822") {
      EXPECT_EQ(parts.at(2).content, std::string(report.original_header) + (c.body.empty() ? "\r\n" : c.body)) << c.why;
    }
  }
}

TEST_F(ReportTest, AddressesStayAsTheyAre) {
  for (const char* address : {"taro..k@example.jp", "taro.@example.jp", ".taro@example.jp", "\"a  b\"@example.com",
                              "\"a\\\"@b\"@example.com", "x@[192.0.2.1]", "a+b=c%d!e@example.com"}) {
    report.recipients.clear();
    add(address);
    envelope.reverse_path = address;
    EXPECT_EQ(field_value(group(1), "Final-Recipient"), std::string("rfc822;") + address);
    EXPECT_NE(part(0).find(std::string("<") + address + ">"), std::string::npos);
    EXPECT_EQ(field_value(make_report(report).header, "To"), std::string("<") + address + ">");
  }
}

TEST_F(ReportTest, NothingForeignEndsAFieldOrAPart) {
  const std::string evil = "x\r\n\r\n--=_0000000000ABD.1\r\nBcc: evil@example.com\r\n.\r\n\x1b[2J\0y";
  RecipientReport& r = add("a\r\nBcc: b@example.com");
  r.remote_host = r.diagnostic = r.explanation = evil;
  r.recipient.orcpt = "rfc822;a+0D+0ABcc:+20b@example.com\r\nX: y";
  envelope.envid = "a+0D+0AX-Evil:+20yes\r\nX: y";
  report.reporting_host = "mail\r\nX: y";
  envelope.reverse_path = "s\r\nBcc: e@example.com";
  report.original_header = "Subject: x\r\nMessage-ID: <a b>\r\n";
  const Made made = make_report(report);
  expect_clean(made.header + made.body, false);
  EXPECT_EQ(parts_of(made).size(), 3u);
  EXPECT_EQ(groups_of(part(1)).size(), 2u);
  EXPECT_FALSE(mail::has_field(made.header, "Bcc"));
  EXPECT_FALSE(mail::has_field(made.header, "In-Reply-To"));
  for (const std::string& one : groups_of(part(1))) {
    for (const char* name : {"Bcc", "X", "X-Evil"}) EXPECT_FALSE(mail::has_field(one, name)) << name;
  }
}

TEST_F(ReportTest, TheBoundaryIsNowhereElse) {
  add("a@example.com");
  const std::string header = "Subject: x\r\nX: --=_0000000000ABD.1\r\nY: --=_0000000000ABD.2\r\n";
  report.original_header = header;
  report.return_full = true;
  const std::string body = "\r\n--=_0000000000ABD.3\r\n--=_0000000000ABD.4--\r\n";
  report.original_body = body;
  const auto parts = parts_of(make_report(report));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].content, header + body);
}

TEST_F(ReportTest, LongRepliesAreFoldedAndBounded) {
  add("a@example.com").diagnostic = "550 " + std::string(20'000, 'x') + " end";
  report.recipients[0].explanation = std::string(3000, 'w');
  const Made made = make_report(report);
  EXPECT_LT(made.body.size(), 40'000u);
  for (std::string_view line : split(made.body, '\n')) EXPECT_LE(line.size(), 999u);
}

TEST_F(ReportTest, TheReturnedHeaderIsBoundedAndCutBetweenFields) {
  add("a@example.com");
  std::string header;
  for (int i = 0; i < 5000; ++i) header += "X-Long: " + std::string(40, 'x') + "\r\n\tfolded\r\n";
  report.original_header = header;
  const std::string returned = part(2);
  EXPECT_LE(returned.size(), 64u * 1024);
  EXPECT_GT(returned.size(), 60u * 1024);
  EXPECT_TRUE(header.starts_with(returned));
  EXPECT_TRUE(returned.ends_with("\tfolded\r\n"));
  const std::string one_field = "X: a\r\n" + std::string(100'000, ' ') + "\r\n";  // no place to cut: nothing
  report.original_header = one_field;
  EXPECT_LE(part(2).size(), 64u * 1024);
}

TEST_F(ReportTest, Utf8Addresses) {  // RFC 6533
  envelope.smtputf8 = true;
  const std::string address = "\xe5\xb1\xb1@example.jp";
  add(address).recipient.orcpt = "utf-8;\\x{5C71}@example.jp";
  report.original_header = "Subject: \xe5\xb1\xb1\r\n";
  Made made = make_report(report);
  auto parts = parts_of(made);
  EXPECT_TRUE(made.smtputf8);
  EXPECT_EQ(field_value(made.header, "Content-Transfer-Encoding"), "8bit");
  EXPECT_EQ(field_value(parts.at(1).header, "Content-Type"), "message/global-delivery-status");
  EXPECT_EQ(field_value(parts[1].header, "Content-Transfer-Encoding"), "8bit");
  EXPECT_EQ(field_value(groups_of(parts[1].content).at(1), "Final-Recipient"), "utf-8;" + address);
  EXPECT_EQ(field_value(groups_of(parts[1].content)[1], "Original-Recipient"), "utf-8;" + address);
  EXPECT_EQ(field_value(parts[2].header, "Content-Type"), "message/global-headers");
  report.return_full = true;
  EXPECT_EQ(field_value(parts_of(make_report(report)).at(2).header, "Content-Type"), "message/global");

  // ASCII addresses alone: an ASCII report, the embedded form stays (RFC 6533 section 3).
  report.recipients.clear();
  add("taro@example.jp").recipient.orcpt = "utf-8;\\x{5C71}@example.jp";
  made = make_report(report);
  parts = parts_of(made);
  EXPECT_FALSE(made.smtputf8);
  EXPECT_EQ(field_value(parts.at(1).header, "Content-Type"), "message/delivery-status");
  EXPECT_EQ(field_value(groups_of(parts[1].content).at(1), "Original-Recipient"), "utf-8;\\x{5C71}@example.jp");
  expect_clean(made.header, false);
}

TEST_F(ReportTest, WordsInOtherLanguagesReachPeopleInSevenBits) {
  add("a@example.com").diagnostic = "550 5.1.1 \xe5\xae\x9b\xe5\x85\x88\xe4\xb8\x8d\xe6\x98\x8e";
  const Made made = make_report(report);
  const auto parts = parts_of(made);
  expect_clean(made.header + made.body, false);
  EXPECT_EQ(field_value(parts.at(0).header, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(field_value(parts[0].header, "Content-Transfer-Encoding"), "quoted-printable");
  EXPECT_NE(parts[0].content.find("=E5=AE=9B"), std::string::npos);
  EXPECT_EQ(field_value(groups_of(parts[1].content).at(1), "Diagnostic-Code"), "smtp; 550 5.1.1 ????????????");
}

TEST(Wants, FollowsNotify) {
  const mail::Notify none{}, never{.never = true}, success{.success = true}, failure{.failure = true},
      delay{.delay = true};
  const struct {
    mail::Notify notify;
    bool failed, delayed, delivered;
  } cases[] = {
      {none, true, true, false},
      {never, false, false, false},
      {success, false, false, true},
      {failure, true, false, false},
      {delay, false, true, false},
      {{.success = true, .failure = true, .delay = true}, true, true, true},
      {{.never = true, .failure = true}, false, false, false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(wants(c.notify, Action::kFailed), c.failed);
    EXPECT_EQ(wants(c.notify, Action::kDelayed), c.delayed);
    for (Action action : {Action::kDelivered, Action::kRelayed, Action::kExpanded}) {
      EXPECT_EQ(wants(c.notify, action), c.delivered);
    }
  }
}

// Another reader's opinion: Python's email package finds no defect and the same parts.
TEST_F(ReportTest, PythonReadsIt) {
  if (std::system("python3 -c 'import email' >/dev/null 2>&1") != 0) GTEST_SKIP() << "skipped: no python3";
  add("a@example.com").diagnostic = "550 " + std::string(3000, 'x');
  add("b@example.com", Action::kDelayed, {4, 2, 2});
  report.return_full = true;
  const Made made = make_report(report);
  const std::string path = ::testing::TempDir() + "sidegate_report.eml";
  std::ofstream(path, std::ios::binary) << made.header << made.body;
  const std::string script =
      "import email,email.policy,sys\n"
      "m=email.message_from_binary_file(open(sys.argv[1],'rb'),policy=email.policy.default)\n"
      "assert m.get_content_type()=='multipart/report',m.get_content_type()\n"
      "p=list(m.iter_parts())\n"
      "assert [x.get_content_type() for x in p]==['text/plain','message/delivery-status','message/rfc822']\n"
      "assert not any(x.defects for x in m.walk()),[x.defects for x in m.walk()]\n"
      "s=p[1].get_payload()\n"
      "assert [x['Action'] for x in s]==[None,'failed','delayed']\n"
      "assert s[0]['Reporting-MTA']=='dns; mail.example.org'\n"
      "assert p[2].get_payload(0)['Subject']=='hello'\n"
      "print('ok')\n";
  const std::string program = ::testing::TempDir() + "sidegate_report.py";
  std::ofstream(program) << script;
  FILE* pipe = popen(("python3 " + program + " " + path + " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string said(4096, '\0');
  said.resize(fread(said.data(), 1, said.size(), pipe));
  pclose(pipe);
  EXPECT_EQ(said, "ok\n");
}

}  // namespace
}  // namespace sidegate::dsn::report_test
