#include "mail/envelope.h"

#include <gtest/gtest.h>

namespace sidegate::mail::envelope_test {
namespace {

TEST(Notify, InWords) {
  EXPECT_EQ(notify_words({}), "");
  EXPECT_EQ(notify_words({.never = true}), "NEVER");
  EXPECT_EQ(notify_words({.success = true}), "SUCCESS");
  EXPECT_EQ(notify_words({.failure = true, .delay = true}), "FAILURE,DELAY");
  EXPECT_EQ(notify_words({.success = true, .failure = true, .delay = true}), "SUCCESS,FAILURE,DELAY");
}

}  // namespace
}  // namespace sidegate::mail::envelope_test
