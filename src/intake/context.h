// What all sessions share. Everything in it outlives every session and is thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
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
  // Keeps a whole fresh message in memory for its first attempt (queue/content_cache.h); empty: nothing is kept. Called
  // when the message is durable, before the scheduler hears of it.
  std::function<void(std::shared_ptr<const queue::Message>, std::string header, std::string body)> keep;
};

}  // namespace sidegate::intake
