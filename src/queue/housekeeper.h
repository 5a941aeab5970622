// What the store does beside the mail, once a second: looks at free space, keeps the ballast file, gives space back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "queue/rocksdb_db.h"

namespace sidegate::queue {

// Counters of the commit thread, since the start.
struct Progress {
  std::uint64_t groups = 0, erased_messages = 0, erased_octets = 0;
};

// Pure: is it time to compact? doc/queue.md, "Space given back".
struct TidyState {
  SteadyTime last_commit{};    // when `groups` last moved
  std::uint64_t messages = 0;  // erased since the last tidying
  std::uint64_t octets = 0;
  std::uint64_t on_disk = 0;  // table and blob files
};
bool should_tidy(const TidyState& state, SteadyTime now);

std::uint64_t free_space(const std::string& path);  // octets for us; the highest number where that is unknown

class Housekeeper {
 public:
  Housekeeper(const StoreSettings& settings, Clock& clock, Log& log, const RocksDbPlace& place,
              std::function<Progress()> progress);
  ~Housekeeper() { stop(); }
  void start();  // the thread
  void stop();   // ends a compaction under way
  void tick();   // what the thread does each second

  bool low_space() const { return low_space_.load(std::memory_order_relaxed); }
  bool room_for(std::uint64_t size) const;
  void drop_ballast();

 private:
  void look_at_space();
  void keep_ballast(std::uint64_t free);
  void look_at_garbage();
  void tidy(double oldest);
  std::string ballast_path() const { return settings_.path + "/ballast"; }

  const StoreSettings& settings_;
  Clock& clock_;
  Log& log_;
  const RocksDbPlace& place_;
  std::function<Progress()> progress_;
  std::atomic<std::uint64_t> free_{UINT64_MAX};
  std::atomic<bool> low_space_{false};
  Progress seen_, tidied_;
  SteadyTime last_commit_{};

  std::thread thread_;
  std::mutex tick_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<bool> cancel_{false};
};

}  // namespace sidegate::queue
