// What all sessions share. Everything in it outlives every session and is thread-safe.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "intake/admission.h"
#include "queue/content_cache.h"
#include "queue/poison.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::intake {

struct IntakeContext {
  IntakeContext(queue::Store& s, queue::Scheduler& sch, QueueIdSource& i, Clock& c, Log& l)
      : store(s), scheduler(sch), ids(i), clock(c), log(l) {}

  queue::Store& store;
  queue::Scheduler& scheduler;
  QueueIdSource& ids;
  Clock& clock;
  Log& log;
  Admission admission;
  // Lists what is in hand, so that a crash can be traced to its message; null: nothing is listed.
  queue::PoisonFile* poison = nullptr;
  // Whole fresh messages for their first attempt; nullptr: every one is read back from the store.
  queue::ContentCache* cache = nullptr;
};

}  // namespace sidegate::intake
