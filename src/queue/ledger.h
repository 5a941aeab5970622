// The ledger on disk: what each account has used of its limits, a note an account (doc/queue.md, "Notes"). A row is
// written as soon as it changes, one write at a time: what changes meanwhile goes with the next one.
#pragma once

#include <atomic>
#include <memory>

#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::queue {

inline constexpr const char* kAccountNotes = "account/";  // before the account's name

class Ledger {  // thread-safe; scheduler and store outlive every write
 public:
  Ledger(Scheduler& scheduler, Store& store) : state_(std::make_shared<State>(scheduler, store)) {}

  // What the store knows, into the schedule; what nobody has used for a month is forgotten. Before any lease.
  Status load(WallTime now);
  void write();   // what has changed
  void finish();  // the last time, before the store goes

 private:
  struct State {
    State(Scheduler& a, Store& b) : scheduler(a), store(b) {}
    Scheduler& scheduler;
    Store& store;
    std::atomic<bool> writing{false}, again{false}, finished{false};
  };
  static void write(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace sidegate::queue
