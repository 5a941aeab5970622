#include "daemon/parent.h"

#include <gtest/gtest.h>

namespace sidegate::daemon::parent_test {
namespace {

TEST(Restarts, GrowAndEndAtABoundAndBeginAnewAfterAQuietMinute) {
  Restarts restarts;
  EXPECT_EQ(restarts.after(Duration(10)), Duration(200));
  EXPECT_EQ(restarts.after(Duration(10)), Duration(400));
  EXPECT_EQ(restarts.after(Duration(59'999)), Duration(800));
  for (int i = 0; i < 100; ++i) EXPECT_LE(restarts.after(Duration(0)), Duration(30'000));
  EXPECT_EQ(restarts.after(Duration(0)), Duration(30'000));
  EXPECT_EQ(restarts.after(Duration(60'000)), Duration(200));
}

}  // namespace
}  // namespace sidegate::daemon::parent_test
