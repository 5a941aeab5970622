#include "intake/priority.h"

#include <gtest/gtest.h>

namespace sidegate::intake::priority_test {
namespace {

using queue::Priority;

TEST(Priority, OfAMessage) {
  constexpr auto kNobody = std::nullopt;
  struct {
    const char* header;
    PriorityRule rule;
    std::optional<unsigned> uid;
    Priority expected;
  } cases[] = {
      {"Subject: hello\r\n", PriorityRule::kAuto, kNobody, Priority::kUsual},
      {"Subject: hello\r\n", PriorityRule::kAuto, 1000, Priority::kUsual},
      {"Subject: DegradedArray event\r\n", PriorityRule::kAuto, 0, Priority::kAlarm},
      {"X-Cron-Env: <PATH=/bin>\r\n", PriorityRule::kAuto, 1000, Priority::kAlarm},
      {"X-Cron-Env: <PATH=/bin>\r\n", PriorityRule::kAuto, kNobody, Priority::kUsual},  // anybody may write that
      {"Auto-Submitted: auto-generated\r\n", PriorityRule::kAuto, 110, Priority::kAlarm},
      {"Auto-Submitted: auto-replied\r\n", PriorityRule::kAuto, 110, Priority::kUsual},
      {"Auto-Submitted: auto-generated\r\n", PriorityRule::kAuto, 1001, Priority::kUsual},
      {"Subject: order\r\n", PriorityRule::kAuto, 33, Priority::kUsual},  // a web server's
      {"Priority: Urgent\r\n", PriorityRule::kAuto, 33, Priority::kAlarm},
      {"Importance: high\r\n", PriorityRule::kAuto, kNobody, Priority::kUsual},
      {"X-Priority: 1 (Highest)\r\n", PriorityRule::kAuto, 33, Priority::kAlarm},
      {"Precedence: bulk\r\n", PriorityRule::kAuto, kNobody, Priority::kBulk},
      {"precedence:  LIST\r\n", PriorityRule::kAuto, 0, Priority::kBulk},
      {"Precedence: first-class\r\n", PriorityRule::kAuto, kNobody, Priority::kUsual},
      {"List-Id: <x.example.org>\r\n", PriorityRule::kAuto, 1000, Priority::kBulk},
      {"List-Unsubscribe: <mailto:x@example.org>\r\n", PriorityRule::kAuto, kNobody, Priority::kBulk},
      {"Precedence: bulk\r\n", PriorityRule::kUsual, kNobody, Priority::kUsual},
      {"Subject: x\r\n", PriorityRule::kAlarm, kNobody, Priority::kAlarm},
      {"Subject: x\r\n", PriorityRule::kBulk, 0, Priority::kBulk},
  };
  for (const auto& c : cases) EXPECT_EQ(priority_of(c.header, c.rule, c.uid), c.expected) << c.header;
}

}  // namespace
}  // namespace sidegate::intake::priority_test
