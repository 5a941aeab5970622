#include "cli/machine_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::cli::machine_findings_test {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Mark;
using testing::HasSubstr;

Findings of(const char* status) {
  return server_findings(boost::json::parse(status).as_object());
}

TEST(ServerFindings, NothingIsWrong) {
  EXPECT_TRUE(of("{}").empty());
  EXPECT_TRUE(
      of(R"({"store":"open","relays":[{"name":"isp","up":true,"full":false}],"here":[{"name":"local","up":true}],
                     "milters":[{"name":"m","up":true}],"users":{"suspended":[]},"advice":""})")
          .empty());
  EXPECT_TRUE(of(R"({"store":1,"relays":{},"here":[1],"milters":"x","users":[],"advice":7})").empty());
}

TEST(ServerFindings, OneLineForEachThingThatIsWrong) {
  struct {
    const char *status, *check, *text, *next;
    Mark mark;
  } cases[] = {
      {R"({"store":"failed"})", "store", "failed", "journalctl", Mark::kWrong},
      {R"({"relays":[{"name":"isp","up":false,"reason":"535 no"}]})", "way", "isp", "sidegate relay test isp",
       Mark::kWarning},
      {R"({"relays":[{"name":"direct","up":false,"reason":"port 25 is closed here"}]})", "way", "direct",
       "sidegate doctor", Mark::kWarning},
      {R"({"relays":[{"name":"direct","up":false},{"name":"isp","up":true}]})", "way", "direct", "sidegate doctor",
       Mark::kNote},
      {R"({"relays":[{"name":"direct","up":false,"destination":"x.example"}]})", "way", "x.example", "sidegate doctor",
       Mark::kWarning},
      {R"({"relays":[{"name":"isp","up":true,"full":true,"when_full":"wait"}]})", "limit", "isp", "[[relay]]",
       Mark::kWarning},
      {R"({"here":[{"name":"lmtp","up":false,"reason":"no socket"}]})", "way", "lmtp", "config check", Mark::kWarning},
      {R"({"advice":"relay-needed"})", "way_out", "no relay", "sidegate doctor", Mark::kWarning},
      {R"({"advice":"no-way-out"})", "way_out", "switched off", "sidegate doctor", Mark::kWrong},
      {R"({"milters":[{"name":"spam","up":false,"reason":"refused"}]})", "milter", "spam", "log", Mark::kWarning},
      {R"({"users":{"suspended":[{"name":"taro","reason":"too much"}]}})", "suspended", "taro",
       "sidegate user resume taro", Mark::kWarning},
  };
  for (const auto& c : cases) {
    const Findings found = of(c.status);
    ASSERT_EQ(found.size(), 1u) << c.status;
    EXPECT_EQ(found[0].check, c.check);
    EXPECT_EQ(found[0].mark, c.mark) << c.status;
    EXPECT_THAT(found[0].text, HasSubstr(c.text));
    EXPECT_THAT(found[0].next, HasSubstr(c.next));
  }
}

TEST(ServerFindings, NothingOfAPeerReachesTheTerminalAsItIs) {
  const Findings found =
      of(R"({"relays":[{"name":"a\u001b[2J","up":false,"reason":"550 \u001b]0;x\u0007\r\nWRONG"}]})");
  ASSERT_EQ(found.size(), 1u);
  for (const std::string& part : {found[0].text, found[0].why, found[0].next})
    EXPECT_EQ(part.find_first_of("\x1b\r\n\x07"), std::string::npos) << part;
}

TEST(OldestMessage, ItsAgeAndReason) {
  doctor::QueueSeen seen;
  const WallTime then{std::chrono::seconds(1'800'000'000)};
  for (const char* bad : {"", "[]", "{}", R"({"id":"?"})", R"({"id":7})"}) take_oldest(seen, bad, then);
  EXPECT_FALSE(seen.oldest_seconds);
  EXPECT_EQ(oldest_message().limit, 1u);
}

}  // namespace
}  // namespace sidegate::cli::machine_findings_test
