// Failures as other servers have reported them, told by us: what goes in comes out of the report's fields again. A
// collection of real reports, where it is at hand (SIDEGATE_CASES).
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "dsn/encode.h"
#include "dsn/report.h"
#include "mail/header.h"

#ifndef SIDEGATE_SOURCE_DIR
#define SIDEGATE_SOURCE_DIR "."
#endif

namespace sidegate::dsn::corpus_test {
namespace {

namespace json = boost::json;

std::string folder() {
  const char* cases = std::getenv("SIDEGATE_CASES");
  return std::string(cases != nullptr ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") + "/vectors/dsn";
}

std::vector<std::string> words(const json::object& row, const char* key) {
  std::vector<std::string> out;
  for (const json::value& v : row.at(key).as_array()) out.emplace_back(v.as_string());
  return out;
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') out += "\r\n";
    if (c != '\n' && c != '\r') out += c;
  }
  return out;
}

// "smtp; 550 ..." as a peer said it: the words alone.
std::string words_of(const std::string& diagnostic) {
  const std::size_t semicolon = diagnostic.find(';');
  return std::string(trim(std::string_view(diagnostic).substr(semicolon == diagnostic.npos ? 0 : semicolon + 1)));
}

// The groups of the message/delivery-status part, the first one about the message (RFC 3464 section 2.1).
std::vector<std::string> groups_of(const Made& made) {
  std::vector<std::string> groups;
  std::size_t at = made.body.find("message/");
  at = made.body.find("delivery-status", at);
  at = made.body.find("\r\n\r\n", at) + 4;
  const std::size_t part_end = made.body.find("\r\n--", at);
  const std::string part = made.body.substr(at, part_end - at) + "\r\n";
  for (std::size_t from = 0; from < part.size();) {
    const std::size_t end = std::min(part.find("\r\n\r\n", from), part.size());
    groups.push_back(part.substr(from, end - from) + "\r\n");
    from = end + 4;
  }
  return groups;
}

void check(const json::object& row) {
  std::ifstream file(folder() + "/" + std::string(row.at("file").as_string()), std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const std::string message = with_crlf(text.str());
  const std::size_t empty = message.find("\r\n\r\n");
  mail::Envelope envelope;
  envelope.reverse_path = "sender@example.org";
  Report report;
  report.reporting_host = row.at("reporting_mta").as_string();
  report.original_id = QueueId{7};
  report.id = QueueId{8};
  report.envelope = &envelope;
  report.original_header = std::string_view(message).substr(0, empty == message.npos ? message.size() : empty + 2);
  const auto recipients = words(row, "recipients"), status = words(row, "status"), said = words(row, "diagnostic");
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    RecipientReport r;
    r.recipient.address = recipients[i];
    r.action = Action::kFailed;
    r.status = mail::EnhancedCode::parse(i < status.size() ? status[i] : "5.0.0").value_or(mail::EnhancedCode{5, 0, 0});
    if (i < said.size()) r.diagnostic = words_of(said[i]);
    report.recipients.push_back(std::move(r));
  }
  const Made made = make_report(report);
  const auto groups = groups_of(made);
  ASSERT_EQ(groups.size(), recipients.size() + 1) << made.body;
  EXPECT_EQ(mail::field_value(groups[0], "Reporting-MTA"), "dns; " + report.reporting_host);
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    const std::string& group = groups[i + 1];
    EXPECT_EQ(mail::field_value(group, "Final-Recipient"), "rfc822;" + recipients[i]);
    EXPECT_EQ(mail::field_value(group, "Action"), "failed");
    EXPECT_EQ(mail::field_value(group, "Status"), report.recipients[i].status.text());
    const std::string& words = report.recipients[i].diagnostic;
    if (!words.empty()) {
      EXPECT_EQ(mail::field_value(group, "Diagnostic-Code"), "smtp; " + clean(words, false));
    }
  }
  // The header of what failed comes back, so that its sender knows which message this was.
  if (const std::string id = mail::field_value(report.original_header, "Message-Id"); is_ascii(id) && !id.empty()) {
    EXPECT_NE(made.body.find(id), std::string::npos) << id;
  }
}

TEST(Corpus, RealFailuresToldByUs) {
  std::ifstream file(folder() + "/expected.jsonl");
  if (!file) GTEST_SKIP() << "skipped: no " << folder();
  int seen = 0;
  for (std::string line; std::getline(file, line); ++seen) {
    const json::value row = json::parse(line);
    SCOPED_TRACE(std::string(row.at("file").as_string()));
    check(row.as_object());
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace sidegate::dsn::corpus_test
