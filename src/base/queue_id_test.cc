#include "base/queue_id.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/result.h"

namespace sidegate::queue_id_test {
namespace {

TEST(QueueId, TextComesBack) {
  for (std::uint64_t value :
       {std::uint64_t{1}, std::uint64_t{31}, std::uint64_t{32}, std::uint64_t{0x123456789abcdef0}, UINT64_MAX}) {
    std::string text = QueueId{value}.text();
    EXPECT_EQ(text.size(), 13u);
    EXPECT_EQ(QueueId::parse(text), QueueId{value});
  }
  EXPECT_EQ(QueueId{UINT64_MAX}.text(), "FZZZZZZZZZZZZ");
  EXPECT_EQ(QueueId::parse("000000000000z"), QueueId{31});
}

TEST(QueueId, MalformedTextIsNone) {
  for (std::string_view bad :
       {"", "1", "0000000000000", "00000000000001", "000000000001", "G000000000000", "000000000000I", "000000000000l",
        "000000000000O", "000000000000U", "000000000 001", "00000000000-1"}) {
    EXPECT_FALSE(QueueId::parse(bad)) << bad;
  }
}

TEST(QueueId, TimeIsThatOfTheClock) {
  ManualClock clock;
  QueueIdSource source(clock, 5);
  EXPECT_EQ(source.next().time(), clock.wall());
}

TEST(QueueId, OnlyGrowsAlsoWhenTheClockGoesBack) {
  ManualClock clock;
  QueueIdSource source(clock, 63);
  QueueId last = source.next();
  for (int i = 0; i < 200'000; ++i) {  // more than one counter's worth within a millisecond
    if (i == 100'000) clock.jump(-std::chrono::hours(24));
    if (i == 150'000) clock.jump(std::chrono::hours(48));
    QueueId id = source.next();
    ASSERT_LT(last, id);
    ASSERT_EQ((id.value >> 16) & 63, 63u);
    last = id;
  }
}

TEST(QueueId, AfterAnIdOfAnotherNode) {
  ManualClock clock;
  for (unsigned node : {0u, 7u, 63u}) {
    QueueIdSource source(clock, node);
    QueueId highest{(static_cast<std::uint64_t>(clock.wall().time_since_epoch().count() + 1000) << 22) | (31u << 16) |
                    9};
    source.after(highest);
    source.after(QueueId{1});  // never lowers it
    QueueId id = source.next();
    EXPECT_GT(id, highest);
    EXPECT_EQ((id.value >> 16) & 63, node);
  }
}

TEST(QueueId, ThreadsNeverShareOne) {
  ManualClock clock;
  QueueIdSource source(clock);
  std::vector<std::vector<QueueId>> ids(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : ids) {
      threads.emplace_back([&source, &mine] {
        for (int i = 0; i < 20'000; ++i) mine.push_back(source.next());
      });
    }
  }
  std::set<QueueId> all;
  for (const auto& mine : ids) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 80'000u);
}

TEST(QueueId, AClockBefore1970IsNoTrouble) {
  ManualClock clock(WallTime(Duration(-5)));
  QueueIdSource source(clock);
  EXPECT_TRUE(source.next());
}

TEST(Error, ErrnoValuesHaveTheirKind) {
  struct Case {
    int value;
    ErrorKind kind;
  } cases[] = {{ENOENT, ErrorKind::kNotFound},
               {EACCES, ErrorKind::kRefused},
               {ECONNREFUSED, ErrorKind::kRefused},
               {ENETUNREACH, ErrorKind::kUnreachable},
               {EHOSTUNREACH, ErrorKind::kUnreachable},
               {ETIMEDOUT, ErrorKind::kTimeout},
               {ECONNRESET, ErrorKind::kClosed},
               {EPIPE, ErrorKind::kClosed},
               {ENOSPC, ErrorKind::kNoSpace},
               {EDQUOT, ErrorKind::kNoSpace},
               {EIO, ErrorKind::kStorage},
               {EMFILE, ErrorKind::kOverload},
               {EADDRINUSE, ErrorKind::kConflict},
               {EINVAL, ErrorKind::kInternal},
               {99999, ErrorKind::kInternal}};
  for (const auto& c : cases) EXPECT_EQ(errno_error(c.value, "x").kind, c.kind) << c.value;
  EXPECT_EQ(errno_error(ENOENT, "open /a").text, "open /a: No such file or directory");
  EXPECT_EQ(errno_error(99999, "x").text, "x: error 99999");
  EXPECT_STREQ(name(ErrorKind::kTls), "tls");
}

}  // namespace
}  // namespace sidegate::queue_id_test
