#include "intake/admission.h"

#include <gtest/gtest.h>

#include <vector>

namespace sidegate::intake::admission_test {
namespace {

using Verdict = Admission::Verdict;

struct Door {
  Admission table;
  std::vector<Admission::Place> places;
  Verdict enter(const std::string& address, bool trusted = false) {
    Admission::Place place;
    Verdict verdict = table.enter(address, trusted, &place);
    if (verdict == Verdict::kWelcome) places.push_back(std::move(place));
    return verdict;
  }
};

TEST(Admission, CountsByAddress) {
  Door door;
  door.table.set_limits({0, 2});
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kTooManyFromAddress);
  EXPECT_EQ(door.enter("192.0.2.2"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.1", true), Verdict::kWelcome);  // trusted: not counted
  door.places.erase(door.places.begin());
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kTooManyFromAddress);
  door.places.clear();
  EXPECT_EQ(door.table.connections(), 0u);
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
}

TEST(Admission, AnIpv6ClientIsItsNetwork) {
  Door door;
  door.table.set_limits({0, 1});
  EXPECT_EQ(door.enter("2001:db8::1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("2001:db8::ffff:1"), Verdict::kTooManyFromAddress);
  EXPECT_EQ(door.enter("2001:db8:0:1::1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.2"), Verdict::kWelcome);
}

TEST(Admission, KeepsTheLastTenthForTheTrusted) {
  Door door;
  door.table.set_limits({10, 0});
  for (int i = 0; i < 9; ++i) EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  EXPECT_EQ(door.enter("192.0.2.2"), Verdict::kTooManyInAll);
  EXPECT_EQ(door.enter("127.0.0.1", true), Verdict::kWelcome);
  EXPECT_EQ(door.enter("unix", true), Verdict::kTooManyInAll);
  door.places.pop_back();
  EXPECT_EQ(door.enter("unix", true), Verdict::kWelcome);
}

TEST(Admission, NewLimitsHoldForTheNextOne) {
  Door door;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kWelcome);
  door.table.set_limits({1000, 3});
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kTooManyFromAddress);
  door.table.set_limits({3, 1000});
  EXPECT_EQ(door.enter("192.0.2.1"), Verdict::kTooManyInAll);
}

}  // namespace
}  // namespace sidegate::intake::admission_test
