#include "route/refusal.h"

#include <gtest/gtest.h>

namespace sidegate::route::refusal_test {
namespace {

TEST(Refusal, TextWithItsCodesOrWithout) {
  struct {
    std::string text;
    const char* wire;  // nothing: it cannot be said
  } cases[] = {
      {"", "550 5.7.1 this server does not send there\r\n"},
      {"we do not write to them", "550 5.7.1 we do not write to them\r\n"},
      {"5.1.1 nobody here", "550 5.1.1 nobody here\r\n"},
      {"551 5.1.6 moved away", "551 5.1.6 moved away\r\n"},
      {"554 no", "554 5.7.1 no\r\n"},
      {"100 km is too far", "550 5.7.1 100 km is too far\r\n"},
      {"451 4.7.1 later", nullptr},
      {"4.7.1 later", nullptr},
      {"250 ok", nullptr},
      {"\xe3\x81\x82", nullptr},
      {"two\nlines", nullptr},
      {std::string(480, 'x'), "long"},
      {std::string(481, 'x'), nullptr},
  };
  for (const auto& c : cases) {
    auto reply = read_refusal(c.text);
    ASSERT_EQ(reply.has_value(), c.wire != nullptr) << c.text;
    if (reply && c.text.size() < 100) EXPECT_EQ(reply->wire(), c.wire);
  }
}

}  // namespace
}  // namespace sidegate::route::refusal_test
