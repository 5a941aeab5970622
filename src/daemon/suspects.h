// Messages that were in hand when the server crashed (queue/poison.h). They are not given to the scheduler with the
// rest but one at a time, so that the next crash tells which of them it was; the third crash holds a message and says
// so. Runs on the thread that loaded the queue: it reads and writes the store and waits for both.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "queue/poison.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::daemon {

class Suspects {
 public:
  // poison may be null: there are no suspects then.
  Suspects(queue::PoisonFile* poison, queue::Store& store, queue::Scheduler& scheduler, Log& log, Clock& clock);

  bool has(QueueId id) const { return suspects_.contains(id); }
  // First, once: holds those that have crashed the server three times, forgets those that are not in the queue (they
  // ended, or were never answered 250), and puts the others in line.
  void begin();
  // The next one goes to the scheduler when the former is no longer under way. Returns when to come again; 0: nothing
  // is left to do.
  Duration step();

 private:
  struct Waiting {
    QueueId id;
    bool scheduled = false;  // it had its turn before, and is held in the schedule
  };
  Result<std::optional<queue::ListRow>> read(QueueId id) const;
  void hold(const queue::PoisonFile::Suspect& suspect, const queue::ListRow& row);
  bool is_under_way(const Waiting& one);
  void give(Waiting one);
  void forget_ended();

  queue::PoisonFile* poison_;
  queue::Store& store_;
  queue::Scheduler& scheduler_;
  Log& log_;
  Clock& clock_;
  std::unordered_map<QueueId, queue::PoisonFile::Suspect> suspects_;
  std::deque<Waiting> line_;
  std::optional<Waiting> current_;
  SteadyTime given_{};
  std::vector<QueueId> watched_;  // had their turn, and are forgotten when they have ended
};

}  // namespace sidegate::daemon
