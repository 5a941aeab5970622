// The rules against a collection of real replies, where it is at hand (SIDEGATE_CASES): prints the score.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>

#include "base/text.h"
#include "provider/meanings.h"

#ifndef SIDEGATE_SOURCE_DIR
#define SIDEGATE_SOURCE_DIR "."
#endif

namespace sidegate::provider::corpus_test {
namespace {

namespace json = boost::json;

Stage stage_of(std::string_view word) {
  if (word == "auth") return kAuth;
  if (word == "starttls") return kStartTls;
  if (word == "mail") return kMail;
  if (word == "rcpt") return kRcpt;
  if (word == "data") return kData;
  return word == "eod" ? kFinal : kRcpt;
}

mail::Reply parse(const std::string& wire) {
  mail::ReplyParser parser;
  auto lines = split(wire, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string line(lines[i]);
    if (i + 1 == lines.size() && line.size() > 3 && line[3] == '-')
      line[3] = ' ';  // the source shows the first lines only
    auto step = parser.push(line);
    EXPECT_TRUE(step.has_value()) << line;
  }
  return parser.take();
}

// What sisimai calls a reason, and the meanings of ours that agree with it.
bool agrees(std::string_view reason, std::string_view word) {
  static constexpr std::pair<std::string_view, std::string_view> kAlike[] = {
      {"userunknown", "user-unknown account-disabled"},
      {"filtered", "user-unknown policy-rejected restricted-recipient account-disabled"},
      {"suspend", "account-disabled"},
      {"hostunknown", "domain-not-found"},
      {"mailboxfull", "mailbox-full"},
      {"hasmoved", "moved"},
      {"mesgtoobig", "message-too-big"},
      {"exceedlimit", "message-too-big too-many-recipients rate-limited"},
      {"norelaying", "relay-denied auth-required"},
      {"requireptr", "ptr-missing ip-blocklisted sender-domain-invalid"},
      {"blocked", "ip-blocklisted ip-reputation-deferred ptr-missing helo-rejected policy-rejected"},
      {"badreputation", "ip-blocklisted ip-reputation-deferred"},
      {"rejected",
       "sender-not-allowed sender-not-verified sender-domain-invalid ip-reputation-deferred policy-rejected"},
      {"authfailure", "dmarc-or-spf-fail"},
      {"policyviolation", "policy-rejected content-rejected format-rejected permanent-remote protocol-error"},
      {"securityerror", "auth-required tls-required policy-rejected auth-bad-credentials sender-not-allowed"},
      {"spamdetected", "content-rejected"},
      {"virusdetected", "virus"},
      {"contenterror", "format-rejected line-too-long"},
      {"notaccept", "null-mx policy-rejected"},
      {"speeding", "rate-limited greylisted ip-reputation-deferred"},
      {"toomanyconn", "too-many-connections rate-limited"},
      {"networkerror", "temporary-remote mail-loop"},
      {"systemerror", "temporary-remote permanent-remote"},
  };
  for (const auto& [known, alike] : kAlike) {
    if (known == reason) return alike.find(word) != alike.npos;
  }
  return true;  // a reason that no reply has: expired, feedback
}

// The peers' words within real bounces.
TEST(Corpus, RealReports) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::string folder = cases ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases";
  std::ifstream file(folder + "/vectors/dsn/expected.jsonl");
  if (!file) GTEST_SKIP() << "skipped: no " << folder << "/vectors/dsn";
  int total = 0, alike = 0;
  for (std::string line; std::getline(file, line);) {
    const auto row = json::parse(line).as_object();
    const auto& said = row.at("diagnostic").as_array();
    const auto& upstream = row.at("upstream_expected").as_array();
    for (std::size_t i = 0; i < said.size() && i < upstream.size(); ++i) {
      std::string words(said[i].as_string());
      if (auto semicolon = words.find(';'); semicolon != words.npos) words = trim(words.substr(semicolon + 1));
      mail::ReplyParser parser;
      if (words.size() < 4 || !is_digit(words[0]) || !is_digit(words[1]) || !is_digit(words[2])) continue;
      words[3] = ' ';
      if (!parser.push(words)) continue;
      const std::string_view word = facts(meaning_of(kRcpt, parser.take())).word;
      const std::string reason(upstream[i].at(2).as_string());
      ++total;
      alike += agrees(reason, word);
      if (!agrees(reason, word)) fmt::print("  {}: {} read as {}\n", words, reason, word);
    }
  }
  fmt::print("reports: {} of {} agree\n", alike, total);
  EXPECT_GE(alike * 100, total * 80);
}

TEST(Corpus, RealReplies) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::string folder = cases ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases";
  std::ifstream file(folder + "/replies/replies.jsonl");
  if (!file) GTEST_SKIP() << "skipped: no " << folder << "/replies";
  int total = 0, same = 0, alike = 0;
  for (std::string line; std::getline(file, line);) {
    auto row = json::parse(line).as_object();
    auto text = [&](const char* key) { return std::string(row.at(key).as_string()); };
    mail::Reply reply = parse(text("reply"));
    const Facts& facts_found = facts(meaning_of(stage_of(text("stage")), reply));
    constexpr const char* kScopes[] = {"relay", "sender", "message", "recipient", "own-address", "remote", "own-fault"};
    constexpr const char* kRetries[] = {"never", "later", "after change"};
    bool equal = text("meaning") == facts_found.word;
    bool near = text("scope") == kScopes[static_cast<int>(facts_found.scope)] &&
                text("retry") == kRetries[static_cast<int>(facts_found.retry)];
    ++total;
    same += equal;
    alike += equal || near;
    if (!equal)
      fmt::print("  {} {}: {} read as {}\n", text("id"), text("reply").substr(0, 70), text("meaning"),
                 facts_found.word);
  }
  fmt::print("replies: {} of {} mean the same, {} the same or alike in scope and retry\n", same, total, alike);
  EXPECT_GE(alike * 100, total * 90);
}

}  // namespace
}  // namespace sidegate::provider::corpus_test
