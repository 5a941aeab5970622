#include "queue/strays.h"

#include <gtest/gtest.h>

namespace sidegate::queue::strays_test {
namespace {

RecipientRow row(std::uint32_t n, RecipientState state, std::uint16_t attempts = 1) {
  RecipientRow row;
  row.n = n;
  row.state = state;
  row.attempts = attempts;
  return row;
}

TEST(Strays, WhatIsMissing) {
  using enum RecipientState;
  struct Case {
    const char* what;
    std::vector<ClassId> classes;
    std::vector<RecipientRow> rows;
    std::vector<ClassId> due;
    bool stray, ended;
    std::vector<ClassId> missing;
    std::uint16_t attempts;
  };
  const Case cases[] = {
      {"as accepted", {1, 2}, {}, {1, 2}, false, false, {}, 0},
      {"one class has ended", {1, 2}, {row(0, kDelivered)}, {2}, false, false, {}, 0},
      {"all have ended", {1, 2}, {row(0, kDelivered), row(1, kFailed)}, {}, true, true, {}, 0},
      {"all have ended, a due row is left: its lease finds that", {1}, {row(0, kDelivered)}, {1}, false, false, {}, 0},
      {"never tried, no due row", {1, 1, 2}, {}, {}, true, false, {1, 2}, 0},
      {"tried, its due row is gone",
       {1, 2, 2},
       {row(0, kDelivered), row(1, kPending, 3), row(2, kPending, 7)},
       {},
       true,
       false,
       {2},
       7},
      {"one of two due rows is gone", {1, 2}, {row(1, kPending, 4)}, {1}, true, false, {2}, 4},
      {"recipients of one class: one ended, one waits", {5, 5}, {row(0, kFailed)}, {5}, false, false, {}, 0},
      {"no recipient at all", {}, {}, {}, true, true, {}, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Message message;
    message.id = QueueId{77};
    message.classes = c.classes;
    auto stray = stray_of(message, c.rows, c.due);
    ASSERT_EQ(stray.has_value(), c.stray);
    if (!stray) continue;
    EXPECT_EQ(stray->id, QueueId{77});
    EXPECT_EQ(stray->ended, c.ended);
    EXPECT_EQ(stray->missing, c.missing);
    EXPECT_EQ(stray->attempts, c.attempts);
  }
}

}  // namespace
}  // namespace sidegate::queue::strays_test
