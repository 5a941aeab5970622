// The largest message each relay takes (SIZE, RFC 1870), remembered over restarts: a note for each host and port
// (doc/queue.md, "Notes").
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "deliver/way.h"
#include "queue/store.h"

namespace sidegate::deliver {

class RelaySizes {  // thread-safe
 public:
  explicit RelaySizes(queue::Store& store) : store_(store) {}

  Status load();                // before any way is used
  void give(const Ways& ways);  // to those that know nothing yet
  void learn(const Way& way);   // and write

 private:
  static std::string key_of(const RelaySettings& relay);

  queue::Store& store_;
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> sizes_;
};

}  // namespace sidegate::deliver
