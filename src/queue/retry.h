// When to try again: pure.
#pragma once

#include "base/clock.h"
#include "queue/settings.h"

namespace sidegate::queue {

// Exponential from retry_first to retry_max; attempts is how many were made (>= 1). random in [0, 1) spreads by up to
// a quarter, so that a thousand deferred at once do not come back at once.
Duration retry_delay(const ScheduleSettings& settings, unsigned attempts, double random);
bool expired(const ScheduleSettings& settings, WallTime arrived, WallTime now);
bool delay_report_due(const ScheduleSettings& settings, WallTime arrived, WallTime now);

// What waits for its next attempt is looked at by then, whatever its retries come to: the first of the delay report's
// time (where somebody is still to be told) and the lifetime's end that is yet to come. WallTime::max(): neither is.
WallTime due_at_latest(const ScheduleSettings& settings, WallTime arrived, WallTime now, bool tells_delay);

}  // namespace sidegate::queue
