// Reads the schedule from the store at start-up, beside a server that already takes mail; then gives the suspects of
// former crashes their turns, and looks for messages that the schedule does not know.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "daemon/stray_sweep.h"
#include "daemon/suspects.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::daemon {

class QueueLoader {
 public:
  // Pages over what this node may claim and gives it to the scheduler, on a thread of its own. loops: wakes are spread.
  QueueLoader(queue::Store& store, queue::Scheduler& scheduler, queue::PoisonFile* poison, Log& log, Clock& clock,
              unsigned loops);
  ~QueueLoader();  // stops between two pages
  void start();
  bool finished() const { return finished_; }

 private:
  void run();
  void load();
  bool pause(Duration for_how_long);  // false: stop
  void put_right(std::vector<queue::DueRow>& rows) const;

  queue::Store& store_;
  queue::Scheduler& scheduler_;
  Log& log_;
  Clock& clock_;
  unsigned loops_;
  Suspects suspects_;
  StraySweep sweep_;
  Duration clock_went_back_{};
  std::atomic<bool> finished_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sidegate::daemon
