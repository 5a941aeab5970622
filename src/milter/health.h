// Which filters are down, over all sessions: for `status`. Thread-safe; where none is down, an answer costs one look.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "milter/settings.h"

namespace sidegate::milter {

// Where in the dialogue, in its order.
enum class At : std::uint8_t { kConnect, kHelo, kUnknown, kMail, kRcpt, kData, kContent };
const char* name(At at);  // "CONNECT", "EHLO", ... "END-OF-MESSAGE", as Postfix has them in its log

class Health {
 public:
  struct Row {
    std::string name, address;
    OnFailure on_failure = OnFailure::kTempfail;
    std::string reason;
    At at = At::kConnect;
    WallTime since = {};
    std::uint64_t times = 0;  // since then
  };

  explicit Health(Clock& clock) : clock_(clock) {}
  void failed(const Settings& settings, At at, const std::string& reason);
  // It has answered: at the place where it failed, or further on.
  void answered(const Settings& settings, At at) {
    if (down_.load(std::memory_order_relaxed) != 0) clear(settings, at);
  }
  std::vector<Row> down() const;
  void keep_only(const std::vector<std::string>& names);  // after a reload

 private:
  void clear(const Settings& settings, At at);

  Clock& clock_;
  std::atomic<std::size_t> down_{0};
  mutable std::mutex mutex_;
  std::vector<Row> rows_;
};

}  // namespace sidegate::milter
