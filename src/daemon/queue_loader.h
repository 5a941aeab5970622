// Reads the schedule from the store at start-up, beside a server that already takes mail.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/log.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::daemon {

class QueueLoader {
 public:
  // Pages over what this node may claim and gives it to the scheduler, on a thread of its own. loops: wakes are spread.
  QueueLoader(queue::Store& store, queue::Scheduler& scheduler, Log& log, Clock& clock, unsigned loops);
  ~QueueLoader();  // stops between two pages
  void start();
  bool finished() const { return finished_; }

 private:
  void run();
  queue::Store& store_;
  queue::Scheduler& scheduler_;
  Log& log_;
  Clock& clock_;
  unsigned loops_;
  std::atomic<bool> stop_{false}, finished_{false};
  std::thread thread_;
};

}  // namespace sidegate::daemon
