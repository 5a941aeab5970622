#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace sidegate::queue {

using namespace std::chrono_literals;

struct StoreSettings {
  std::string path = "/var/lib/sidegate/queue";
  std::uint64_t memory = 48ull << 20;           // write buffers and block cache together
  std::uint64_t max_wal = 64ull << 20;          // replaying 248 MB took 1.2 s
  std::uint64_t min_free_space = 256ull << 20;  // below: 452 4.3.1, mail in hand still completes
  std::uint64_t ballast = 64ull << 20;          // given up when a full disk keeps the store from opening
  std::uint64_t content_cache = 32ull << 20;    // fresh messages kept for their first attempt
  Duration stall_limit = 10s;                   // a commit that takes longer: 451 to who waits
  bool sync = true;                             // false only in the power-cut test's negative control; warns for ever
};

struct ScheduleSettings {
  Duration retry_first = 1min;           // before the second attempt
  Duration retry_max = 4h;               // exponential up to here, with jitter
  Duration lifetime = 5 * 24h;           // then the message fails (4.4.7)
  Duration delay_report = 4h;            // DSN "delayed", once; 0: never
  std::uint64_t max_queued = 2'000'000;  // messages; more: 452 4.3.1
};

}  // namespace sidegate::queue
