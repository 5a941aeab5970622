#include "route/regex.h"

#include <gtest/gtest.h>

namespace sidegate::route::regex_test {
namespace {

TEST(Regex, Matches) {
  struct {
    const char* pattern;
    const char* text;
    bool matches;
  } cases[] = {
      {"", "", true},
      {"", "anything", true},
      {"example", "an.example.org", true},
      {"^example", "an.example.org", false},
      {"^example\\.org$", "example.org", true},
      {"^example\\.org$", "EXAMPLE.ORG", true},
      {"^EXAMPLE\\.org$", "example.org", true},
      {"^example\\.org$", "examplexorg", false},
      {"^example.org$", "examplexorg", true},
      {"^(docomo|softbank|ezweb)\\.ne\\.jp$", "softbank.ne.jp", true},
      {"^(docomo|softbank|ezweb)\\.ne\\.jp$", "au.ne.jp", false},
      {"^(?:a|)b$", "b", true},
      {"^[a-c]+$", "abcabc", true},
      {"^[a-c]+$", "abcd", false},
      {"^[^.]+$", "nodots", true},
      {"^[^.]+$", "with.dot", false},
      {"^[]x]$", "]", true},
      {"^[a\\]-]+$", "a]-", true},
      {"^\\d{2,3}$", "12", true},
      {"^\\d{2,3}$", "1234", false},
      {"^\\w+\\.\\D$", "ab_1.x", true},
      {"^a{2}$", "aa", true},
      {"^a{2,}$", "a", false},
      {"^a{2,}$", "aaaa", true},
      {"^(ab)*$", "ababab", true},
      {"^(ab)*$", "aba", false},
      {"^(a*)*$", "aaab", false},
      {"^x?y$", "y", true},
      {"a|b|c$", "zzb", true},
      {"\\.example\\.(com|net)$", "mail.example.net", true},
  };
  for (const auto& c : cases) {
    auto regex = Regex::compile(c.pattern);
    ASSERT_TRUE(regex) << c.pattern << ": " << regex.error().text;
    EXPECT_EQ(regex->matches(c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(Regex, SaysWhatIsWrong) {
  for (const char* pattern :
       {"(", ")", "[", "[z-a]", "*", "a{", "a{x}", "a{3,2}", "a{101}", "\\", "\\b", "\\1", "(a", "+x",
        "((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))", "((a{100}){100}){100}"}) {
    auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_FALSE(regex.error().text.empty());
  }
  EXPECT_FALSE(Regex::compile(std::string(1000, 'a')));
}

// What takes a matcher that goes back over its steps longer than the age of the universe.
TEST(Regex, HostileTextsTakeNoLonger) {
  for (const char* pattern : {"^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"}) {
    auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex);
    EXPECT_FALSE(regex->matches(std::string(254, 'a') + "!")) << pattern;
    EXPECT_FALSE(regex->matches(std::string(1000, 'x') + "!")) << pattern;
  }
}

TEST(Regex, LongTextsDoNotMatch) {
  EXPECT_FALSE(Regex::compile("a")->matches(std::string(Regex::kMostText + 1, 'a')));
}

}  // namespace
}  // namespace sidegate::route::regex_test
