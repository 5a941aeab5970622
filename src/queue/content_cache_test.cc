#include "queue/content_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace sidegate::queue::content_cache_test {
namespace {

Content content(std::uint64_t id, std::size_t octets) {
  auto message = std::make_shared<Message>();
  message->id = QueueId{id};
  return {std::move(message), std::make_shared<std::string>("h"), std::make_shared<std::string>(octets, 'b')};
}

TEST(ContentCache, PutGetDrop) {
  ContentCache cache(1 << 20);
  EXPECT_FALSE(cache.get(QueueId{8}));
  cache.put(content(8, 1000));
  auto got = cache.get(QueueId{8});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body->size(), 1000u);
  EXPECT_EQ(got->message->id, QueueId{8});
  EXPECT_TRUE(cache.get(QueueId{8}));
  cache.drop(QueueId{8});
  EXPECT_FALSE(cache.get(QueueId{8}));
  cache.drop(QueueId{8});
  EXPECT_EQ(cache.octets(), 0u);
}

TEST(ContentCache, OldestGoesFirstWithinTheBudget) {
  ContentCache cache(8 * 100'000);
  for (std::uint64_t id = 1; id <= 100; ++id) cache.put(content(8 * id, 4000));  // one shard
  EXPECT_LE(cache.octets(), 100'000u);
  EXPECT_GE(cache.size(), 15u);
  EXPECT_FALSE(cache.get(QueueId{8}));
  EXPECT_TRUE(cache.get(QueueId{800}));
}

TEST(ContentCache, TooLargeIsNotKept) {
  ContentCache cache(1 << 20);
  cache.put(content(1, 64 << 10));
  EXPECT_FALSE(cache.get(QueueId{1}));
}

TEST(ContentCache, DroppedOnesLeaveNoTrace) {
  ContentCache cache(1 << 20);
  cache.put(content(8, 100));  // stays
  for (std::uint64_t id = 2; id <= 100'000; ++id) {
    cache.put(content(8 * id, 100));
    cache.drop(QueueId{8 * id});
  }
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_TRUE(cache.get(QueueId{8}));
}

TEST(ContentCache, FromSeveralThreads) {
  ContentCache cache(1 << 20);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 1; i < 2000; ++i) {
        cache.put(content(i * 4 + t, 500));
        EXPECT_LE(cache.get(QueueId{i * 4 + t}).value_or(content(1, 500)).body->size(), 500u);
        if (i % 2) cache.drop(QueueId{i * 4 + t});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(cache.octets(), 1u << 20);
}

}  // namespace
}  // namespace sidegate::queue::content_cache_test
