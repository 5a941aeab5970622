#include "dns/validation.h"

#include <gtest/gtest.h>

namespace sidegate::dns::validation_test {
namespace {

using namespace std::chrono_literals;

TEST(Validation, ALineThatHasJustValidatedIsInTrouble) {
  Validation line;
  SteadyTime now{1h};
  EXPECT_FALSE(line.is_fresh(now, 1));
  EXPECT_EQ(line.state(now), Validates::kNo);
  line.found(true, "", now, 1);
  EXPECT_TRUE(line.is_fresh(now + 9min, 1));
  EXPECT_FALSE(line.is_fresh(now + 11min, 1));
  EXPECT_EQ(line.state(now), Validates::kYes);
  now += 30min;
  line.found(false, "SERVFAIL", now, 1);
  EXPECT_EQ(line.state(now), Validates::kNotNow);
  EXPECT_FALSE(line.is_fresh(now + 3min, 1));
  EXPECT_EQ(line.why(), "SERVFAIL");
  EXPECT_EQ(line.state(now + 31min), Validates::kNo);
}

TEST(Validation, OtherServersAreAnotherLine) {
  Validation line;
  SteadyTime now{1h};
  line.found(true, "", now, 1);
  EXPECT_FALSE(line.is_fresh(now, 2));
  line.found(false, "SERVFAIL", now, 2);
  EXPECT_EQ(line.state(now), Validates::kNo);
}

}  // namespace
}  // namespace sidegate::dns::validation_test
