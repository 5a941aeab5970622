// The ways of a family as couriers have them: one a destination, made when somebody looks for it, forgotten when nobody
// has for an hour or when there are too many. What must not be forgotten (slots, trouble) stands in the scheduler.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "queue/lease.h"

namespace sidegate::deliver {

struct Way;

class Members {  // thread-safe
 public:
  static constexpr std::size_t kMost = 10'000;  // and as many older ones
  std::shared_ptr<Way> get(queue::WayId id, const queue::MemberName& who, const std::shared_ptr<Way>& family,
                           SteadyTime now);
  std::shared_ptr<Way> find(queue::WayId id, SteadyTime now);  // null: nobody has looked for it lately
  std::size_t size() const;

 private:
  using Table = std::unordered_map<queue::WayId, std::shared_ptr<Way>>;
  std::shared_ptr<Way> find_locked(queue::WayId id, SteadyTime now);
  mutable std::mutex mutex_;
  Table young_, old_;  // what is used moves to the young; the old ones go when the young ones have become old
  SteadyTime begun_{};
};

}  // namespace sidegate::deliver
