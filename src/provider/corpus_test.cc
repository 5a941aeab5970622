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

namespace sidegate::provider {
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
}  // namespace sidegate::provider
