// What real servers say: real_replies.txt, beside this file.
#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "provider/reply_table.h"

#ifndef SIDEGATE_SOURCE_DIR
#define SIDEGATE_SOURCE_DIR "."
#endif

namespace sidegate::provider::real_replies_test {
namespace {

mail::Reply parse(std::string wire) {
  for (auto at = wire.find("\\n"); at != std::string::npos; at = wire.find("\\n")) wire.replace(at, 2, "\n");
  mail::ReplyParser parser;
  for (std::string_view line : split(wire, '\n')) EXPECT_TRUE(parser.push(line)) << wire;
  return parser.take();
}

TEST(RealReplies, MeanWhatTheyMean) {
  std::ifstream file(SIDEGATE_SOURCE_DIR "/src/provider/real_replies.txt");
  ASSERT_TRUE(file);
  int total = 0, alike = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto first = line.find(" | "), last = line.rfind(" | ");
    ASSERT_NE(first, last) << line;
    const std::string wire = line.substr(first + 3, last - first - 3);
    std::string_view wanted = std::string_view(line).substr(last + 3);
    const bool later = wanted.ends_with(" later");
    if (later) wanted.remove_suffix(6);
    const auto stages = stages_of(line.substr(0, first));
    ASSERT_TRUE(stages) << line;
    const mail::Reply reply = parse(wire);
    const Rule& rule = ReplyTable::built_in().find(static_cast<Stage>(*stages), reply, {});
    const Facts& found = facts(rule.meaning);
    EXPECT_EQ(found.word, wanted) << line << "\n  by " << rule.from;
    if (later) EXPECT_EQ(found.retry, Retry::kLater) << line;
    ++total;
    alike += found.word == wanted;
  }
  EXPECT_GT(total, 500);
  EXPECT_EQ(alike, total);
}

TEST(ReplyTable, TheBuiltInRulesAreGood) {
  EXPECT_GT(built_in_rules().size(), 300u);  // none: replies.txt has a mistake
  for (const Rule& rule : built_in_rules()) {
    for (std::string_view words : split(rule.words, '|')) {
      EXPECT_TRUE(words.size() > 1 || rule.words.empty()) << rule.from << ": an alternative that fits everything";
    }
  }
}

TEST(ReplyTable, SaysWhatIsWrongWithALine) {
  struct {
    const char* line;
    const char* part;
  } cases[] = {
      {"nowhere - - virus x", "\"nowhere\" is no stage"},
      {"auth 999 - virus x", "\"999\" is no code"},
      {"auth 5500 - virus x", "\"5500\" is no code"},
      {"auth 5 5.7 virus x", "\"5.7\" is no enhanced code"},
      {"auth 5 5.7.x virus x", "no enhanced code"},
      {"auth 5 5.7.1 flu x", "\"flu\" is no meaning"},
      {"auth", "is no meaning"},
  };
  for (const auto& c : cases) {
    auto rules = parse_rules(c.line);
    ASSERT_FALSE(rules) << c.line;
    EXPECT_NE(rules.error().text.find(c.part), std::string::npos) << rules.error().text;
  }
  auto good =
      parse_rules("# x\n\nauth,mail 55 5.7.|x.1.2 mail-loop A b|C*d\n[Gmail]\nany - - virus\n[any]\nany 5 - moved y");
  ASSERT_TRUE(good) << good.error().text;
  ASSERT_EQ(good->size(), 3u);
  EXPECT_EQ((*good)[0].words, "a b|c*d");
  EXPECT_EQ((*good)[0].stages, kAuth | kMail);
  EXPECT_EQ((*good)[1].words, "");
  EXPECT_EQ((*good)[2].provider, "");
}

TEST(ReplyTable, OwnRulesGoFirstAndProvidersKeepToThemselves) {
  auto own = make_rule({.provider = "",
                        .stage = "rcpt",
                        .code = "550",
                        .status = "x.1.1",
                        .words = "User Unknown*Table",
                        .meaning = "greylisted"});
  ASSERT_TRUE(own);
  auto theirs =
      make_rule({.provider = "gmail", .stage = "", .code = "5", .status = "", .words = "", .meaning = "virus"});
  ASSERT_TRUE(theirs);
  const ReplyTable table({*own, *theirs});
  const mail::Reply reply(550, {5, 1, 1}, "<x>: User unknown in local recipient table");
  EXPECT_EQ(table.find(kRcpt, reply, {}).meaning, Meaning::kGreylisted);
  EXPECT_EQ(table.find(kMail, reply, {}).meaning, Meaning::kUserUnknown);
  EXPECT_EQ(table.find(kMail, reply, "gmail").meaning, Meaning::kVirus);
  EXPECT_EQ(table.find(kMail, reply, "ocn").meaning, Meaning::kUserUnknown);
  EXPECT_EQ(table.find(kFinal, mail::Reply(250, "spamhaus is fine"), {}).meaning, Meaning::kDelivered);
}

TEST(ReplyTable, ProvidersByTheirHosts) {
  EXPECT_EQ(provider_of_host("smtp.gmail.com"), "gmail");
  EXPECT_EQ(provider_of_host("SMTP.OFFICE365.COM"), "microsoft");
  EXPECT_EQ(provider_of_host("notgmail.com"), "");
  EXPECT_EQ(provider_of_host("gmail.com"), "gmail");
  EXPECT_EQ(provider_of_host(""), "");
}

}  // namespace
}  // namespace sidegate::provider::real_replies_test
