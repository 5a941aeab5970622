// Start-up's broom: messages that no schedule would bring to their end (queue/strays.h) are finished, or get their due
// rows back. Runs on the thread that loaded the queue, a page at a time, beside a server that already takes and
// delivers mail.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::daemon {

class StraySweep {
 public:
  StraySweep(queue::Store& store, queue::Scheduler& scheduler, Log& log, Clock& clock)
      : store_(store), scheduler_(scheduler), log_(log), clock_(clock) {}

  // The next page. Returns how long to rest before the one after it (as long as this one took: half a thread at most);
  // 0: nothing is left to look at.
  Duration step();

 private:
  void put_right(const queue::Stray& stray);
  void finish(QueueId id);
  void schedule_again(const queue::Stray& stray);

  queue::Store& store_;
  queue::Scheduler& scheduler_;
  Log& log_;
  Clock& clock_;
  QueueId after_;
  bool ended_ = false;
  std::uint64_t finished_ = 0, rescheduled_ = 0;
};

}  // namespace sidegate::daemon
