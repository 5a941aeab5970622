#include "cli/relay_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::cli::relay_verdict_test {
namespace {

using deliver::ProbeMark;
using deliver::ProbeStep;
using doctor::Finding;
using doctor::Mark;
using testing::HasSubstr;

ProbeStep step(std::string name, std::string text, ProbeMark mark = ProbeMark::kGood, std::string cause = {},
               std::string cure = {}) {
  return {std::move(name), mark, std::move(text), std::move(cause), std::move(cure), {}};
}

deliver::RelaySettings relay() {
  deliver::RelaySettings r;
  r.name = "isp";
  r.host = "smtp.isp.example";
  r.port = 465;
  return r;
}

std::vector<ProbeStep> closed(std::string where) {
  return {step("candidate", std::move(where)), step("dns", "found"),
          step("connect", "timed out", ProbeMark::kFailed, "a firewall drops it", "try another port"),
          step("result", "would not take mail", ProbeMark::kFailed)};
}

std::vector<ProbeStep> operator+(std::vector<ProbeStep> a, const std::vector<ProbeStep>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<ProbeStep> kTakes = {step("dns", "found"), step("connect", "there"), step("tls", "TLSv1.3"),
                                       step("auth", "PLAIN as me"), step("result", "would take mail")};

TEST(RelayVerdict, OneServer) {
  const Finding good = judge_relay(relay(), kTakes, true);
  EXPECT_EQ(good.mark, Mark::kGood);
  EXPECT_EQ(good.text, "relay isp (smtp.isp.example:465): would take mail; TLSv1.3; PLAIN as me");
  auto steps = closed("");
  steps.erase(steps.begin());
  const Finding bad = judge_relay(relay(), steps, false);
  EXPECT_EQ(bad.mark, Mark::kWrong);
  EXPECT_EQ(bad.text, "relay isp (smtp.isp.example:465): connect: timed out");
  EXPECT_EQ(bad.why, "a firewall drops it");
  EXPECT_EQ(bad.next, "try another port");
}

TEST(RelayVerdict, TheFirstPortClosedAndTheSecondOpenIsFine) {
  const auto steps = closed("smtp.isp.example:465") + std::vector{step("candidate", "smtp.isp.example:587")} + kTakes;
  const Finding f = judge_relay(relay(), steps, true);
  EXPECT_EQ(f.mark, Mark::kNote);
  EXPECT_THAT(f.text, HasSubstr("(smtp.isp.example:587): would take mail; TLSv1.3"));
  EXPECT_THAT(f.why, HasSubstr("smtp.isp.example:465: connect: timed out"));
  EXPECT_THAT(f.next, HasSubstr("smtp.isp.example:587"));
}

TEST(RelayVerdict, OfSeveralThatFailTheOneThatCameFurthestIsTold) {
  const auto refused = std::vector{step("candidate", "smtp.isp.example:587"),
                                   step("dns", "found"),
                                   step("connect", "there"),
                                   step("greeting", "220"),
                                   step("auth", "535 no", ProbeMark::kFailed, "wrong password", "change it"),
                                   step("result", "", ProbeMark::kFailed)};
  for (const auto& steps : {closed("smtp.isp.example:465") + refused, refused + closed("smtp.isp.example:465")}) {
    const Finding f = judge_relay(relay(), steps, false);
    EXPECT_EQ(f.mark, Mark::kWrong);
    EXPECT_EQ(f.text, "relay isp (smtp.isp.example:587): auth: 535 no");
    EXPECT_THAT(f.why, HasSubstr("wrong password; "));
    EXPECT_THAT(f.why, HasSubstr("smtp.isp.example:465: connect: timed out"));
    EXPECT_EQ(f.next, "change it");
  }
}

TEST(RelayVerdict, NoServerFound) {
  const auto steps =
      std::vector{step("dns", "no SRV", ProbeMark::kFailed, "", ""), step("result", "", ProbeMark::kFailed)};
  const Finding f = judge_relay(relay(), steps, false);
  EXPECT_EQ(f.mark, Mark::kWrong);
  EXPECT_EQ(f.next, "sidegate relay test isp");
  EXPECT_EQ(judge_relay(relay(), {}, false).mark, Mark::kWrong);
}

}  // namespace
}  // namespace sidegate::cli::relay_verdict_test
