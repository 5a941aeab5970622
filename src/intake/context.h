// What all sessions share. Everything in it outlives every session and is thread-safe.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "intake/class_book.h"
#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::intake {

struct IntakeContext {
  IntakeContext(queue::Store& s, queue::Scheduler& sch, QueueIdSource& i, Clock& c, Log& l)
      : store(s), scheduler(sch), ids(i), clock(c), log(l), classes(sch) {}

  queue::Store& store;
  queue::Scheduler& scheduler;
  QueueIdSource& ids;
  Clock& clock;
  Log& log;
  ClassBook classes;
};

}  // namespace sidegate::intake
