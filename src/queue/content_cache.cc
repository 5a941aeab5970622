#include "queue/content_cache.h"

namespace sidegate::queue {

ContentCache::ContentCache(std::uint64_t budget) : shard_budget_(budget / kShards) {}

std::uint64_t ContentCache::octets_of(const Content& content) {
  std::uint64_t octets = 1024;  // the message and what holds it
  if (content.message) octets += 128 * content.message->envelope.recipients.size();
  if (content.header) octets += content.header->capacity();
  if (content.body) octets += content.body->capacity();
  return octets;
}

void ContentCache::put(Content content) {
  const QueueId id = content.message->id;
  const std::uint64_t octets = octets_of(content);
  if (octets > shard_budget_ / 4) return;
  std::vector<Content> evicted;  // destroyed outside of the lock
  Shard& place = shard(id);
  std::lock_guard lock(place.mutex);
  auto [at, fresh] = place.content.try_emplace(id);
  if (fresh) {
    place.order.push_back(id);
  } else {
    place.octets -= octets_of(at->second);
    evicted.push_back(std::move(at->second));
  }
  at->second = std::move(content);
  place.octets += octets;
  evict(place, shard_budget_, evicted);
}

void ContentCache::evict(Shard& shard, std::uint64_t budget, std::vector<Content>& out) {
  // `order` may hold ids that were dropped: it is cut when it outgrows what is there.
  while (!shard.order.empty() && (shard.octets > budget || shard.order.size() > 2 * shard.content.size() + 16)) {
    auto found = shard.content.find(shard.order.front());
    if (found != shard.content.end() && shard.octets > budget) {
      shard.octets -= octets_of(found->second);
      out.push_back(std::move(found->second));
      shard.content.erase(found);
    } else if (found != shard.content.end()) {
      shard.order.push_back(shard.order.front());  // still there: keep its turn at the end
    }
    shard.order.pop_front();
  }
}

std::optional<Content> ContentCache::get(QueueId id) const {
  const Shard& place = shard(id);
  std::lock_guard lock(place.mutex);
  auto found = place.content.find(id);
  if (found == place.content.end()) return std::nullopt;
  return found->second;
}

void ContentCache::drop(QueueId id) {
  Content dropped;
  Shard& place = shard(id);
  std::lock_guard lock(place.mutex);
  auto found = place.content.find(id);
  if (found == place.content.end()) return;
  dropped = std::move(found->second);
  place.octets -= octets_of(dropped);
  place.content.erase(found);
}

std::uint64_t ContentCache::octets() const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    sum += shard.octets;
  }
  return sum;
}

std::size_t ContentCache::size() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    sum += shard.content.size();
  }
  return sum;
}

}  // namespace sidegate::queue
