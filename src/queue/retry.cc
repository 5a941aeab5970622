#include "queue/retry.h"

#include <algorithm>

namespace sidegate::queue {

// A due time runs on the steady clock, an age on the wall's: so much later the age is surely reached.
constexpr Duration kSurelyReached = Duration(100);

Duration retry_delay(const ScheduleSettings& settings, unsigned attempts, double random) {
  const auto longest = std::max(settings.retry_max, settings.retry_first).count();
  auto delay = std::min(std::max<Duration::rep>(settings.retry_first.count(), 1), longest);
  for (unsigned made = 1; made < attempts && delay < longest; ++made) delay = delay > longest / 2 ? longest : delay * 2;
  // The quarter goes on top, but never over retry_max: what waits longest is spread below it.
  const auto spread = delay / 4;
  const auto least = std::min(delay, longest - spread);
  return Duration(least + static_cast<Duration::rep>(static_cast<double>(spread) * std::clamp(random, 0.0, 1.0)));
}

// A wall clock that ran backwards makes a message young again, never older: it is not expired before its time.
bool expired(const ScheduleSettings& settings, WallTime arrived, WallTime now) {
  return now - arrived >= settings.lifetime;
}

bool delay_report_due(const ScheduleSettings& settings, WallTime arrived, WallTime now) {
  return settings.delay_report > Duration::zero() && now - arrived >= settings.delay_report;
}

WallTime due_at_latest(const ScheduleSettings& settings, WallTime arrived, WallTime now, bool tells_delay) {
  const WallTime told = arrived + settings.delay_report, ends = arrived + settings.lifetime;
  WallTime latest = WallTime::max();
  if (ends > now) latest = ends + kSurelyReached;
  if (tells_delay && settings.delay_report > Duration::zero() && told > now)
    latest = std::min(latest, told + kSurelyReached);
  return latest;
}

}  // namespace sidegate::queue
