#include "helper/protocol.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sidegate::helper::protocol_test {
namespace {

Request command() {
  Request r{.verb = Verb::kCommand, .user = "alice", .instead = "nobody", .place = "/usr/bin/procmail -t"};
  r.head = "From a@b.example  Sat Nov 21 22:25:12 2026\nDelivered-To: alice@c.example\n";
  r.size = 123'456'789'012;
  r.patience = 1000;
  r.environment = {{"SENDER", "a@b.example"}, {"EXTENSION", ""}};
  return r;
}

TEST(Protocol, RequestsComeThroughAsTheyWere) {
  for (Request r : {command(), Request{.verb = Verb::kHello}, Request{.verb = Verb::kFindUser, .user = "bob"},
                    Request{.verb = Verb::kReadForward, .user = "bob", .place = "list"},
                    Request{.verb = Verb::kMaildir, .user = "bob", .place = "~/Maildir", .size = 1},
                    Request{.verb = Verb::kMbox, .user = "bob", .place = "/var/mail/%u"}}) {
    auto read = decode_request(encode(r));
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(*read, r);
  }
}

TEST(Protocol, WhatNobodyMayAskForIsRefused) {
  struct Case {
    const char* why;
    void (*change)(Request&);
  };
  const Case kCases[] = {
      {"no name", [](Request& r) { r.user = ""; }},
      {"a path for a name", [](Request& r) { r.user = "../etc"; }},
      {"an option for a name", [](Request& r) { r.user = "-x"; }},
      {"dots for a name", [](Request& r) { r.user = ".."; }},
      {"a line end in a name", [](Request& r) { r.user = "a\nb"; }},
      {"a NUL in a name", [](Request& r) { r.user = std::string("a\0b", 3); }},
      {"a long name", [](Request& r) { r.user = std::string(kMaxName + 1, 'a'); }},
      {"a bad stand-in", [](Request& r) { r.instead = "a/b"; }},
      {"no command", [](Request& r) { r.place = ""; }},
      {"a NUL in a command", [](Request& r) { r.place = std::string("a\0b", 3); }},
      {"a long command", [](Request& r) { r.place = std::string(kMaxPlace + 1, 'a'); }},
      {"a NUL in the head", [](Request& r) { r.head = std::string("a\0\n", 3); }},
      {"a head without an end", [](Request& r) { r.head = "X: y"; }},
      {"a long head", [](Request& r) { r.head = std::string(kMaxHead, 'a') + "\n"; }},
      {"the loader's variable", [](Request& r) { r.environment = {{"LD_PRELOAD", "/tmp/x.so"}}; }},
      {"PATH", [](Request& r) { r.environment = {{"PATH", "/tmp"}}; }},
      {"a long value", [](Request& r) { r.environment = {{"SENDER", std::string(kMaxValue + 1, 'a')}}; }},
      {"a relative path", [](Request& r) { r.verb = Verb::kFile, r.place = "etc/passwd"; }},
      {"a path that climbs", [](Request& r) { r.verb = Verb::kFile, r.place = "/var/mail/../../etc/passwd"; }},
      {"a path that climbs from home", [](Request& r) { r.verb = Verb::kMaildir, r.place = "~/../x"; }},
      {"a NUL in a path", [](Request& r) { r.verb = Verb::kMbox, r.place = std::string("/a\0b", 4); }},
      {"an extension with a slash",
       [](Request& r) { r = {.verb = Verb::kReadForward, .user = "a", .place = "/../x"}; }},
      {"a path for a PAM service",
       [](Request& r) { r = {.verb = Verb::kVerifyPassword, .user = "a", .place = "../x", .size = 1}; }},
      {"no PAM service", [](Request& r) { r = {.verb = Verb::kVerifyPassword, .user = "a", .size = 1}; }},
      {"no password", [](Request& r) { r = {.verb = Verb::kVerifyPassword, .user = "a", .place = "smtp"}; }},
      {"a long password",
       [](Request& r) { r = {.verb = Verb::kVerifyPassword, .user = "a", .place = "smtp", .size = kMaxPassword + 1}; }},
      {"content for a question", [](Request& r) { r = {.verb = Verb::kFindUser, .user = "a", .size = 1}; }},
  };
  for (const Case& c : kCases) {
    Request r = command();
    c.change(r);
    EXPECT_FALSE(decode_request(encode(r))) << c.why;
  }
}

TEST(Protocol, CutOrLengthenedPacketsAreRefused) {
  const std::string whole = encode(command());
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(decode_request(whole.substr(0, n))) << n;
  EXPECT_FALSE(decode_request(whole + "x"));
  EXPECT_FALSE(decode_request(std::string(kMaxRequest + 1, 'x')));
}

TEST(Protocol, AnswersComeThroughAndCutOnesAreNone) {
  Answer a{.cause = Cause::kExit,
           .code = 75,
           .text = "no room",
           .home = "/home/bob",
           .shell = "/bin/sh",
           .uid = 1000,
           .gid = 100};
  const std::string whole = encode(a);
  EXPECT_EQ(decode_answer(whole), a);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(decode_answer(whole.substr(0, n))) << n;
  EXPECT_FALSE(decode_answer(whole + "x"));
}

RC_GTEST_PROP(Protocol, AnyOctetsAreReadOrRefused, (std::string bytes)) {
  auto r = decode_request(bytes);
  if (r) RC_ASSERT(*decode_request(encode(*r)) == *r);
  (void)decode_answer(bytes);
}

TEST(Protocol, ValuesAreMadeHarmless) {
  EXPECT_EQ(neutral("a+b@c.example"), "a+b@c.example");
  EXPECT_EQ(neutral("$(rm -rf ~);`x`|\"'\n"), "__rm_-rf_____x_____");
  EXPECT_EQ(neutral(std::string(5000, 'a')).size(), kMaxValue);
}

}  // namespace
}  // namespace sidegate::helper::protocol_test
