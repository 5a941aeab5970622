// Classes that the scheduler knows and the store may not know yet. A class must be on disk before or with the first
// message that uses it, also when the commit that carried it failed, or when two sessions meet a new class at once:
// until its Intern is known to be durable, every message that uses the class brings it along.
#pragma once

#include <mutex>
#include <unordered_set>
#include <vector>

#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::intake {

class ClassBook {  // thread-safe
 public:
  explicit ClassBook(queue::Scheduler& scheduler) : scheduler_(scheduler) {}

  // The class of `key`; appends its row to `unsaved` where the store may not have it.
  queue::ClassId find(queue::ClassKey key, std::vector<queue::ClassRow>& unsaved);
  // An Intern of these rows is durable.
  void saved(const std::vector<queue::ClassRow>& rows);

 private:
  queue::Scheduler& scheduler_;
  std::mutex mutex_;
  std::unordered_set<queue::ClassId> unsaved_;
};

}  // namespace sidegate::intake
