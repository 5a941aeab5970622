#include "daemon/stray_sweep.h"

#include <algorithm>

#include "daemon/wait_for_store.h"
#include "route/ways.h"

namespace sidegate::daemon {
namespace {

constexpr std::size_t kPage = 512;
constexpr Duration kLeastRest{1}, kStoreTrouble{1'000};

}  // namespace

Duration StraySweep::step() {
  if (ended_) return Duration(0);
  const SteadyTime began = clock_.steady();
  Result<queue::StrayPage> page = store_.strays(after_, kPage);
  if (!page) return kStoreTrouble;  // it is reopening, and says so itself
  for (const queue::Stray& stray : page->strays) put_right(stray);
  after_ = page->last;
  ended_ = page->end;
  if (!ended_) return std::max(kLeastRest, std::chrono::duration_cast<Duration>(clock_.steady() - began));
  if (finished_ + rescheduled_ > 0) log_.info("queue_swept", {{"finished", finished_}, {"rescheduled", rescheduled_}});
  return Duration(0);
}

// What cannot be written now is found again at the next start.
void StraySweep::put_right(const queue::Stray& stray) {
  stray.ended ? finish(stray.id) : schedule_again(stray);
}

// Every recipient's end was written and told; whoever wrote the last one did not live to remove the message.
void StraySweep::finish(QueueId id) {
  queue::Outcome outcome;
  outcome.id = id;
  outcome.finished = true;
  // In this life an attempt may just have removed it: then this is not written.
  if (!commit_and_wait(store_, std::move(outcome))) return;
  ++finished_;
  log_.info("removed", {{"id", id.text()}});
}

void StraySweep::schedule_again(const queue::Stray& stray) {
  Result<queue::Message> message = store_.message(stray.id);
  if (!message) return;
  queue::Outcome outcome;
  outcome.id = stray.id;
  std::vector<queue::ClassRow> classes;
  for (std::size_t n = 0; n < message->classes.size(); ++n) {
    const queue::ClassId id = message->classes[n];
    if (std::ranges::find(stray.missing, id) == stray.missing.end()) continue;
    if (std::ranges::find(classes, id, &queue::ClassRow::id) != classes.end()) continue;
    // A class that no due row named may have been dropped: its key is made anew, under the number it had.
    const mail::Recipient& recipient = message->envelope.recipients[n];
    classes.push_back({id, route::class_key(message->envelope, message->origin, recipient)});
    queue::DueRow row{.id = stray.id, .class_id = id, .due = clock_.wall()};
    row.attempts = stray.attempts;
    outcome.due.push_back(row);
  }
  std::vector<queue::DueRow> rows = outcome.due;
  store_.commit(queue::Intern{classes}, [](Status) {});
  if (!commit_and_wait(store_, std::move(outcome))) return;
  ++rescheduled_;
  log_.warning("rescheduled", {{"id", stray.id.text()},
                               {"classes", rows.size()},
                               {"reason", "recipients were waiting, and the schedule did not know of them"}});
  scheduler_.restore_classes(std::move(classes));
  scheduler_.add(rows, 0);
}

}  // namespace sidegate::daemon
