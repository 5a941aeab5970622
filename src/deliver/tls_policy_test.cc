#include "deliver/tls_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/dane.h"

namespace sidegate::deliver::tls_policy_test {
namespace {

using enum TlsLevel;
using State = DaneFound::State;

TEST(TlsPolicy, TheNearestBlockCounts) {
  const std::vector<TlsRule> rules = {{".example.org", kEncrypt, {}},
                                      {".mail.example.org", kVerify, {}},
                                      {"example.org", kSecure, {"nexthop"}},
                                      {"[192.0.2.1]", kNone, {}}};
  struct {
    const char* domain;
    TlsLevel level;
    const char *why, *where;
  } cases[] = {
      {"example.org", kSecure, "config", "[[tls_policy]] example.org"},
      {"EXAMPLE.ORG", kSecure, "config", "[[tls_policy]] example.org"},
      {"a.example.org", kEncrypt, "config", "[[tls_policy]] .example.org"},
      {"a.mail.example.org", kVerify, "config", "[[tls_policy]] .mail.example.org"},
      {"mail.example.org", kEncrypt, "config", "[[tls_policy]] .example.org"},
      {"badexample.org", kDane, "default", "[direct] tls"},
      {"[192.0.2.1]", kNone, "config", "[[tls_policy]] [192.0.2.1]"},
      {"example.net", kDane, "default", "[direct] tls"},
  };
  for (const auto& c : cases) {
    const TlsPolicy got = configured_policy(kDane, rules, c.domain);
    EXPECT_EQ(got.level, c.level) << c.domain;
    EXPECT_EQ(got.why, c.why) << c.domain;
    EXPECT_EQ(got.where, c.where) << c.domain;
  }
}

TEST(TlsPolicy, NamesOfACertificate) {
  using Names = std::vector<std::string>;
  struct {
    TlsLevel level;
    Names match, names;
  } cases[] = {
      {kVerify, {}, {"mx.example.net"}},
      {kSecure, {}, {"example.org", ".example.org"}},
      {kVerify, {"hostname", "nexthop", "dot-nexthop"}, {"mx.example.net", "example.org", ".example.org"}},
      {kSecure, {"Mail.Example.com", ".example.com"}, {"mail.example.com", ".example.com"}},
  };
  for (const auto& c : cases)
    EXPECT_EQ(names_to_match({.level = c.level, .match = c.match}, "Example.org", "MX.example.net"), c.names);
}

DaneFound found(State state) {
  DaneFound out{.state = state, .base = "mx.example.org", .why = "so it is"};
  if (state == State::kUsable) out.records.push_back({});
  return out;
}

TEST(TlsPolicy, WhatItComesToForAHost) {
  struct {
    TlsLevel level;
    State state;
    TlsLevel is;
    const char* result;  // null: the host may be gone to
    const char* why;
  } cases[] = {
      {kNone, State::kNotAsked, kNone, nullptr, "default"},
      {kMay, State::kNotAsked, kMay, nullptr, "default"},
      {kEncrypt, State::kNotAsked, kEncrypt, nullptr, "default"},
      {kVerify, State::kNotAsked, kVerify, nullptr, "default"},
      {kSecure, State::kNotAsked, kSecure, nullptr, "default"},
      {kDane, State::kUsable, kDane, nullptr, "dane"},
      {kDane, State::kUnusable, kEncrypt, nullptr, "dane"},
      {kDane, State::kAbsent, kMay, nullptr, "default"},
      {kDane, State::kInsecure, kMay, nullptr, "default"},
      {kDane, State::kTrouble, kDane, "dnssec-invalid", "dane"},
      {kDaneOnly, State::kUsable, kDane, nullptr, "dane"},
      {kDaneOnly, State::kUnusable, kDaneOnly, "tlsa-invalid", "dane"},
      {kDaneOnly, State::kAbsent, kDaneOnly, "dane-required", "dane"},
      {kDaneOnly, State::kInsecure, kDaneOnly, "dnssec-invalid", "dane"},
      {kDaneOnly, State::kTrouble, kDaneOnly, "dnssec-invalid", "dane"},
  };
  for (const auto& c : cases) {
    const HostPolicy got =
        policy_for_host({.level = c.level}, {}, found(c.state), "example.org", "mx.example.org", false);
    const std::string what = std::string(name(c.level)) + " " + std::to_string(static_cast<int>(c.state));
    EXPECT_EQ(got.level, c.is) << what;
    EXPECT_EQ(got.unmet.empty(), c.result == nullptr) << what;
    EXPECT_EQ(got.result, c.result ? c.result : "") << what;
    EXPECT_EQ(got.why, c.why) << what;
    EXPECT_EQ(got.temporary, c.state == State::kTrouble && c.result != nullptr) << what;
  }
}

TEST(TlsPolicy, WhatTheDestinationPublishes) {
  const TlsPolicy sts{
      .level = kVerify, .why = policy_source::kMtaSts, .hosts = {"mx.example.org", "*.mail.example.org"}};
  struct {
    TlsLevel level;
    State state;
    const char* host;
    TlsLevel is;
    bool unmet;
  } cases[] = {
      {kMay, State::kNotAsked, "mx.example.org", kVerify, false},
      {kDane, State::kInsecure, "MX.example.org", kVerify, false},
      {kDane, State::kAbsent, "a.mail.example.org", kVerify, false},
      {kDane, State::kAbsent, "a.b.mail.example.org", kVerify, true},
      {kDane, State::kAbsent, "mail.example.org", kVerify, true},
      {kDane, State::kAbsent, "evil.example", kVerify, true},
      {kDane, State::kUsable, "evil.example", kDane, false},  // RFC 8461 section 2: DANE goes before
      {kDane, State::kUnusable, "mx.example.org", kVerify, false},
      {kEncrypt, State::kNotAsked, "mx.example.org", kVerify, false},
      {kVerify, State::kNotAsked, "evil.example", kVerify, false},
      {kNone, State::kNotAsked, "evil.example", kNone, false},
  };
  for (const auto& c : cases) {
    const HostPolicy got = policy_for_host({.level = c.level}, sts, found(c.state), "example.org", c.host, false);
    EXPECT_EQ(got.level, c.is) << c.host;
    EXPECT_EQ(got.unmet.empty(), !c.unmet) << c.host << ": " << got.unmet;
    if (c.unmet) EXPECT_EQ(got.result, "validation-failure");
  }
}

// RFC 8689 section 4.2.1: whatever the policy says, the peer is authenticated.
TEST(TlsPolicy, RequireTls) {
  for (TlsLevel level : {kMay, kEncrypt, kDane, kVerify, kSecure}) {
    for (State state : {State::kInsecure, State::kAbsent, State::kUnusable, State::kUsable}) {
      const HostPolicy got = policy_for_host({.level = level}, {}, found(state), "example.org", "mx.example.org", true);
      EXPECT_TRUE(got.authenticated() && got.unmet.empty()) << name(level);
      if (got.level == kVerify) EXPECT_FALSE(got.names.empty());
    }
  }
  EXPECT_FALSE(policy_for_host({.level = kNone}, {}, {}, "example.org", "mx.example.org", true).unmet.empty());
}

TEST(Dane, ReadsTheRecords) {
  using dns::Verdict;
  const std::string good = "3 1 1 " + std::string(64, 'a');
  struct {
    dns::Answer answer;
    State state;
    std::size_t records;
  } cases[] = {
      {{.verdict = Verdict::kFound, .list = {good}, .secure = true}, State::kUsable, 1},
      {{.verdict = Verdict::kFound, .list = {good, "0 0 1 " + std::string(64, 'b'), good}, .secure = true},
       State::kUsable,
       2},
      {{.verdict = Verdict::kFound, .list = {"1 1 1 " + std::string(64, 'b'), "3 1 1 00"}, .secure = true},
       State::kUnusable,
       0},
      {{.verdict = Verdict::kFound, .list = {good}, .secure = false}, State::kAbsent, 0},
      {{.verdict = Verdict::kNoData, .secure = true}, State::kAbsent, 0},
      {{.verdict = Verdict::kNoName, .secure = true}, State::kAbsent, 0},
      {{.verdict = Verdict::kFailed, .why = "SERVFAIL"}, State::kTrouble, 0},
      {{.verdict = Verdict::kFailed, .list = {good}, .why = "signature expired", .bogus = true}, State::kTrouble, 0},
      {{.verdict = Verdict::kSilent}, State::kTrouble, 0},
  };
  for (const auto& c : cases) {
    const DaneFound got = read_tlsa(c.answer, "mx.example.org");
    EXPECT_EQ(got.state, c.state) << c.answer.why;
    EXPECT_EQ(got.records.size(), c.records);
    EXPECT_EQ(got.why.empty(), c.state == State::kUsable);
  }
}

}  // namespace
}  // namespace sidegate::deliver::tls_policy_test
