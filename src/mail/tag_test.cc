#include "mail/tag.h"

#include <gtest/gtest.h>

namespace sidegate::mail::tag_test {
namespace {

TEST(Tag, BeginsBehindAName) {
  const struct {
    const char *name, *delimiters;
    std::optional<std::size_t> begins;
  } kTable[] = {
      {"taro+shop", "+", 4},
      {"taro+a+b", "+", 4},
      {"taro", "+", std::nullopt},
      {"+shop", "+", std::nullopt},
      {"taro+shop", "", std::nullopt},
      {"taro-shop", "+-", 4},
      {"owner-list", "-", std::nullopt},
      {"list-Request", "-", std::nullopt},
      {"mailer-daemon", "-", std::nullopt},
      {"", "+", std::nullopt},
  };
  for (const auto& row : kTable) EXPECT_EQ(tag_begins(row.name, row.delimiters), row.begins) << row.name;
}

}  // namespace
}  // namespace sidegate::mail::tag_test
