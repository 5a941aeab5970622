#include "mta_sts/policy.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "mta_sts/record.h"

namespace sidegate::mta_sts::policy_test {
namespace {

namespace json = boost::json;

TEST(StsPolicy, WhatIsOneAndWhatIsNot) {
  const std::string large = "version: STSv1\nmode: none\nmax_age: 1\nx: " + std::string(kLargestPolicy, 'x');
  const struct {
    const char* why;
    std::string text;
    bool good;
  } cases[] = {
      {"the RFC's", "version: STSv1\nmode: enforce\nmx: a.example\nmx: *.b.example\nmax_age: 604800\n", true},
      {"CRLF", "version: STSv1\r\nmode: testing\r\nmx: a.example\r\nmax_age: 1\r\n", true},
      {"no line end at the end", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1", true},
      {"another order", "max_age: 1\nmx: a.example\nmode: enforce\nversion: STSv1\n", true},
      {"no space after the colon", "version:STSv1\nmode:enforce\nmx:a.example\nmax_age:1\n", true},
      {"much space", "version: \t STSv1 \t\nmode: enforce\t\nmx:  a.example \nmax_age: 1 \n", true},
      {"empty lines", "version: STSv1\nmode: enforce\n\nmx: a.example\nmax_age: 1\n\r\n\n", true},
      {"unknown keys", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\nfoo.bar: a b \xc3\xa9\n", true},
      {"none without mx", "version: STSv1\nmode: none\nmax_age: 86400\n", true},
      {"repeated: the first counts", "version: STSv1\nmode: enforce\nmode: x\nmx: a.example\nmax_age: 1\nmax_age: y\n",
       true},
      {"enforce without mx", "version: STSv1\nmode: enforce\nmax_age: 1\n", false},
      {"testing without mx", "version: STSv1\nmode: testing\nmax_age: 1\n", false},
      {"no version", "mode: enforce\nmx: a.example\nmax_age: 1\n", false},
      {"another version", "version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1\n", false},
      {"version in small letters", "version: stsv1\nmode: enforce\nmx: a.example\nmax_age: 1\n", false},
      {"no mode", "version: STSv1\nmx: a.example\nmax_age: 1\n", false},
      {"another mode", "version: STSv1\nmode: report\nmx: a.example\nmax_age: 1\n", false},
      {"mode in capitals", "version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n", false},
      {"keys in capitals are others", "Version: STSv1\nMode: enforce\nMX: a.example\nMax_age: 1\n", false},
      {"no max_age", "version: STSv1\nmode: enforce\nmx: a.example\n", false},
      {"max_age is no number", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1d\n", false},
      {"max_age is negative", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n", false},
      {"max_age of eleven digits", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 00000000001\n", false},
      {"mx is an address", "version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 1\n", false},
      {"mx with two wildcards", "version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1\n", false},
      {"mx with a wildcard inside", "version: STSv1\nmode: enforce\nmx: a.*.example\nmax_age: 1\n", false},
      {"mx with half a wildcard", "version: STSv1\nmode: enforce\nmx: mx*.example\nmax_age: 1\n", false},
      {"mx is a wildcard", "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", false},
      {"mx is empty", "version: STSv1\nmode: enforce\nmx:\nmax_age: 1\n", false},
      {"a line without a colon", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\nhello\n", false},
      {"space before the colon", "version : STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n", false},
      {"a page", "<!DOCTYPE html>\n<html><body>version: STSv1</body></html>\n", false},
      {"a control character", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\nx: a\x01z\n", false},
      {"malformed UTF-8", "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\nx: a\xffz\n", false},
      {"bare CR", "version: STSv1\rmode: enforce\rmx: a.example\rmax_age: 1\r", false},
      {"nothing", "", false},
      {"too large", large, false},
  };
  for (const auto& c : cases) {
    auto policy = parse_policy(c.text);
    EXPECT_EQ(policy.has_value(), c.good) << c.why << (policy ? "" : ": " + policy.error().text);
  }
}

TEST(StsPolicy, WhatItSays) {
  auto policy = parse_policy(
      "version: STSv1\nmode: enforce\nmx: Mail.A.example\nmx: *.b.example\nmx: mail.a.example\n"
      "max_age: 9999999999\n");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->mode, Mode::kEnforce);
  EXPECT_EQ(policy->mx, (std::vector<std::string>{"mail.a.example", "*.b.example"}));
  EXPECT_EQ(policy->max_age, kLongestAge);
  EXPECT_EQ(lines_of(*policy), (std::vector<std::string>{"version: STSv1", "mode: enforce", "mx: mail.a.example",
                                                         "mx: *.b.example", "max_age: 31557600"}));
}

TEST(StsPolicy, Hosts) {
  const struct {
    const char *pattern, *host;
    bool fits;
  } cases[] = {
      {"mail.example.com", "mail.example.com", true},
      {"mail.example.com", "MAIL.Example.com.", true},
      {"mail.example.com", "a.mail.example.com", false},
      {"*.example.net", "a.example.net", true},
      {"*.example.net", "A.EXAMPLE.NET.", true},
      {"*.example.net", "a.b.example.net", false},
      {"*.example.net", "example.net", false},
      {"*.example.net", ".example.net", false},
      {"*.example.net", "aexample.net", false},
      {"*.example.net", "", false},
      {"*.net", "example.net", true},
  };
  for (const auto& c : cases) EXPECT_EQ(matches_pattern(c.pattern, c.host), c.fits) << c.pattern << " " << c.host;
}

// Policies and records of others, with what is to come of them.
TEST(StsPolicy, Vectors) {
  const char* cases = std::getenv("SIDEGATE_CASES");
  const std::string folder = cases ? cases : "../shared/cases";
  std::ifstream file(folder + "/vectors/mta-sts.json");
  if (!file) GTEST_SKIP() << "skipped: no vectors/mta-sts.json here";
  const std::string text(std::istreambuf_iterator<char>(file), {});
  for (const json::value& value : json::parse(text).as_array()) {
    const json::object& one = value.as_object();
    const std::string label = one.at("name").as_string().c_str();
    const json::object& expected = one.at("expect").as_object();
    const bool good = expected.at("valid").as_bool();
    if (const json::value* txt = one.if_contains("txt")) {
      auto record = find_record({txt->as_string().c_str()});
      EXPECT_EQ(record.has_value(), good) << label;
      if (record && expected.contains("id")) EXPECT_EQ(record->id, expected.at("id").as_string().c_str()) << label;
    }
    const json::value* given = one.if_contains("policy");
    if (given == nullptr) continue;
    auto policy = parse_policy(given->as_string().c_str());
    EXPECT_EQ(policy.has_value(), good) << label;
    if (!policy) continue;
    if (const json::value* mode = expected.if_contains("mode"))
      EXPECT_EQ(name(policy->mode), mode->as_string()) << label;
    if (const json::value* age = expected.if_contains("max_age"))
      EXPECT_EQ(policy->max_age.count(), age->to_number<std::int64_t>()) << label;
    if (const json::value* hosts = one.if_contains("mx")) {
      for (const json::value& pair : hosts->as_array())
        EXPECT_EQ(matches(*policy, pair.at(0).as_string().c_str()), pair.at(1).as_bool()) << label << " " << pair;
    }
  }
}

}  // namespace
}  // namespace sidegate::mta_sts::policy_test
