#include "intake/known_owners.h"

#include <gtest/gtest.h>

namespace sidegate::intake::known_owners_test {
namespace {

TEST(KnownOwners, ForAMinuteAndOfOneUser) {
  ManualClock clock;
  KnownOwners known(clock, 3);
  EXPECT_EQ(known.find("taro", "info@example.jp"), std::nullopt);
  known.learn("taro", "info@example.jp", true);
  known.learn("hanako", "info@example.jp", false);
  EXPECT_EQ(known.find("taro", "info@example.jp"), true);
  EXPECT_EQ(known.find("hanako", "info@example.jp"), false);
  EXPECT_EQ(known.find("jiro", "info@example.jp"), std::nullopt);
  clock.advance(KnownOwners::kGood);
  EXPECT_EQ(known.find("taro", "info@example.jp"), std::nullopt);
}

TEST(KnownOwners, NamesTriedOneAfterTheOtherDoNotFillIt) {
  ManualClock clock;
  KnownOwners known(clock, 3);
  for (int i = 0; i < 100; ++i) known.learn("taro", std::to_string(i), false);
  EXPECT_EQ(known.find("taro", "99"), false);
  EXPECT_EQ(known.find("taro", "90"), std::nullopt);
}

}  // namespace
}  // namespace sidegate::intake::known_owners_test
