#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "smtp/client_session.h"

namespace sidegate::smtp::client_ehlo_test {
namespace {

using ::testing::ElementsAre;

mail::Reply reply(const std::vector<std::string>& lines) {
  mail::ReplyParser parser;
  for (const std::string& line : lines) {
    if (!parser.push(line)) ADD_FAILURE() << line;
  }
  return parser.take();
}

TEST(Ehlo, Keywords) {
  Capabilities c = parse_ehlo(
      reply({"250-mx.example Hello [192.0.2.1]", "250-pipelining", "250-SIZE 35882577", "250-8BITMIME", "250-STARTTLS",
             "250-DSN", "250-SMTPUTF8", "250-CHUNKING", "250-RequireTLS", "250 ENHANCEDSTATUSCODES"}));
  EXPECT_EQ(c.host, "mx.example");
  EXPECT_TRUE(c.esmtp && c.pipelining && c.eight_bit && c.starttls && c.dsn && c.smtputf8 && c.chunking && c.enhanced &&
              c.requiretls);
  EXPECT_EQ(c.size, 35882577u);
  EXPECT_EQ(c.raw.size(), 9u);
}

TEST(Ehlo, Auth) {
  struct Case {
    std::vector<std::string> lines, expected;
  };
  for (const Case& c :
       {Case{{"AUTH PLAIN LOGIN"}, {"PLAIN", "LOGIN"}}, Case{{"auth plain  login"}, {"PLAIN", "LOGIN"}},
        Case{{"AUTH=LOGIN PLAIN"}, {"LOGIN", "PLAIN"}}, Case{{"AUTH PLAIN", "AUTH=LOGIN"}, {"PLAIN", "LOGIN"}},
        Case{{"AUTH=LOGIN", "AUTH LOGIN CRAM-MD5"}, {"LOGIN", "CRAM-MD5"}}, Case{{"AUTH= LOGIN"}, {"LOGIN"}},
        Case{{"AUTH"}, {}}, Case{{"AUTHX PLAIN", "Ok"}, {}}}) {
    std::vector<std::string> lines{"250-mx"};
    for (const auto& line : c.lines) lines.push_back("250-" + line);
    lines.push_back("250 HELP");
    EXPECT_EQ(parse_ehlo(reply(lines)).auth, c.expected) << c.lines.front();
  }
}

TEST(Ehlo, SizeWithoutALimit) {
  for (const char* line : {"250 SIZE", "250 SIZE 0", "250 SIZE x", "250 SIZE 99999999999999999999999"}) {
    EXPECT_FALSE(parse_ehlo(reply({"250-mx", line})).size) << line;
  }
}

TEST(Ehlo, TheFirstLineIsNoKeyword) {
  Capabilities c = parse_ehlo(reply({"250 STARTTLS"}));
  EXPECT_FALSE(c.starttls);
  EXPECT_EQ(c.host, "STARTTLS");
  EXPECT_EQ(parse_ehlo(mail::Reply(250, "")).host, "");
}

TEST(Ehlo, RealAnswers) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  std::ifstream file(std::string(cases != nullptr ? cases : SIDEGATE_SOURCE_DIR "/../shared/cases") +
                     "/replies/ehlo.json");
  if (!file) GTEST_SKIP() << "skipped: no replies/ehlo.json here";
  std::stringstream text;
  text << file.rdbuf();
  boost::json::value all = boost::json::parse(text.str());
  for (const auto& entry : all.as_object().at("ehlo").as_array()) {
    std::vector<std::string> lines;
    for (const auto& line : entry.at("lines").as_array()) lines.emplace_back(line.as_string());
    Capabilities c = parse_ehlo(reply(lines));
    SCOPED_TRACE(std::string(entry.at("provider").as_string()));
    for (const auto& [key, value] : entry.at("expected").as_object()) {
      if (key == "size" && value.is_null()) EXPECT_FALSE(c.size);
      if (key == "size" && value.is_int64()) EXPECT_EQ(c.size, static_cast<std::uint64_t>(value.as_int64()));
      if (key == "starttls") EXPECT_EQ(c.starttls, value.as_bool());
      if (key == "eightbit") EXPECT_EQ(c.eight_bit, value.as_bool());
      if (key == "pipelining") EXPECT_EQ(c.pipelining, value.as_bool());
      if (key == "chunking") EXPECT_EQ(c.chunking, value.as_bool());
      if (key == "smtputf8") EXPECT_EQ(c.smtputf8, value.as_bool());
      if (key == "dsn") EXPECT_EQ(c.dsn, value.as_bool());
      if (key == "auth") {
        std::vector<std::string> expected;
        for (const auto& name : value.as_array()) expected.emplace_back(name.as_string());
        EXPECT_EQ(c.auth, expected);
      }
    }
  }
}

}  // namespace
}  // namespace sidegate::smtp::client_ehlo_test
