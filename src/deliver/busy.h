// A limit for each command: one that hangs keeps a few places of the local way and no more. What finds no place steps
// aside for about as long as it takes until there is one.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/clock.h"
#include "base/queue_id.h"

namespace sidegate::deliver {

class Busy {  // thread-safe
 public:
  // nullopt: go on, and leave() afterwards. Otherwise: come again after so long.
  std::optional<Duration> enter(const std::string& command, QueueId id, unsigned most, SteadyTime now);
  void leave(const std::string& command, Duration took, SteadyTime now);

 private:
  struct One {
    unsigned running = 0;
    Duration usual{100};                // what a call took, smoothed
    SteadyTime since{};                 // the last call began or ended
    std::unordered_set<QueueId> aside;  // stepped aside and not back yet
  };
  std::mutex mutex_;
  std::map<std::string, One> commands_;
};

}  // namespace sidegate::deliver
