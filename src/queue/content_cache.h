// The content of fresh messages, within a budget, so that the usual message is never read back from disk: put when it
// is accepted, got when it is leased, dropped when it is finished. When the budget is full the oldest goes.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "queue/records.h"

namespace sidegate::queue {

struct Content {
  std::shared_ptr<const Message> message;
  std::shared_ptr<const std::string> header, body;  // the whole body: streamed messages are not cached
};

class ContentCache {  // thread-safe
 public:
  explicit ContentCache(std::uint64_t budget);

  void put(Content content);                     // what is larger than a quarter of its share is not kept
  std::optional<Content> get(QueueId id) const;  // stays in the cache: a deferral on one way may try the next one
  void drop(QueueId id);

  std::uint64_t octets() const;
  std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 8;  // a mutex each: sessions of several threads put and get
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<QueueId, Content> content;
    std::deque<QueueId> order;  // may name what was dropped already
    std::uint64_t octets = 0;
  };
  static std::uint64_t octets_of(const Content& content);
  static void evict(Shard& shard, std::uint64_t budget, std::vector<Content>& out);
  Shard& shard(QueueId id) { return shards_[id.value % kShards]; }
  const Shard& shard(QueueId id) const { return shards_[id.value % kShards]; }

  std::array<Shard, kShards> shards_;
  std::uint64_t shard_budget_;
};

}  // namespace sidegate::queue
