#include "daemon/suspects.h"

#include <algorithm>

#include "daemon/wait_for_store.h"

namespace sidegate::daemon {
namespace {

// How long the next one waits for one that hangs in an attempt, and for one whose way is down.
constexpr Duration kLongAttempt{60'000}, kNoAttempt{5'000};
constexpr Duration kSoon{10}, kLater{2'000};
constexpr unsigned kMostTold = 20;

}  // namespace

Suspects::Suspects(queue::PoisonFile* poison, queue::Store& store, queue::Scheduler& scheduler, Log& log, Clock& clock)
    : poison_(poison), store_(store), scheduler_(scheduler), log_(log), clock_(clock) {
  if (poison_ == nullptr) return;
  for (const auto& suspect : poison_->suspects()) {
    if (suspect.id) suspects_.emplace(suspect.id, suspect);
  }
}

Result<std::optional<queue::ListRow>> Suspects::read(QueueId id) const {
  auto page = store_.find({}, QueueId{id.value - 1}, 1);
  if (!page) return std::unexpected(page.error());
  if (page->empty() || page->front().message.id != id) return std::nullopt;
  return std::move(page->front());
}

void Suspects::begin() {
  if (suspects_.empty()) return;
  std::vector<QueueId> gone, ids;
  unsigned told = 0;
  for (const auto& [id, suspect] : suspects_) ids.push_back(id);
  std::ranges::sort(ids);
  for (QueueId id : ids) {
    const auto& suspect = suspects_.at(id);
    auto row = read(id);
    if (!row) {
      line_.push_back({id});  // not readable now: in its turn it is read again
    } else if (!*row) {
      gone.push_back(id);
      // It was being taken, and its sender will bring it again under another id: the address is what we know.
      if (!suspect.peer.empty() && told++ < kMostTold) {
        log_.warning("crash_in_hand", {{"id", id.text()}, {"peer", suspect.peer}, {"crashes", suspect.crashes}});
      }
    } else if (suspect.hold()) {
      hold(suspect, **row);
      gone.push_back(id);
    } else {
      line_.push_back({id});
      if (told++ < kMostTold) {
        log_.warning("crash_in_hand", {{"id", id.text()}, {"peer", suspect.peer}, {"crashes", suspect.crashes}});
      }
    }
  }
  poison_->forget(gone);
}

// On disk first: should writing fail, it is held in the schedule all the same until the next start.
void Suspects::hold(const queue::PoisonFile::Suspect& suspect, const queue::ListRow& row) {
  queue::Outcome outcome;
  outcome.id = suspect.id;
  outcome.due = row.due;
  for (queue::DueRow& due : outcome.due) due.held = true;
  std::vector<queue::DueRow> held = outcome.due;
  queue::AttemptRow& attempt = outcome.attempt.emplace();
  attempt.at = clock_.wall();
  attempt.reply = fmt::format("the server crashed {} times with this message in hand", suspect.crashes);
  attempt.meaning = "poison";
  for (std::uint32_t n = 0; n < row.message.envelope.recipients.size(); ++n) attempt.recipients.push_back(n);
  commit_and_wait(store_, std::move(outcome));
  scheduler_.add(held, 0);
  log_.error("message_held", {{"id", suspect.id.text()},
                              {"from", row.message.envelope.reverse_path},
                              {"crashes", suspect.crashes},
                              {"reason", attempt.reply},
                              {"next", "sidegate queue release " + suspect.id.text() + " tries it again"}});
}

bool Suspects::is_under_way(const Waiting& one) {
  auto standing = scheduler_.standing(one.id);
  if (!standing) return false;
  const SteadyTime now = clock_.steady();
  if (standing->leased) return now - given_ < kLongAttempt;
  if (!standing->ready) return false;
  if (now - given_ < kNoAttempt) return true;
  // Its way is down or busy: it goes to the end of the line. Held in memory alone; a lease taken in this moment ends
  // held as well.
  scheduler_.hold(one.id, true);
  line_.push_back({one.id, true});
  return false;
}

// Read anew: it may have been held or deleted since.
void Suspects::give(Waiting one) {
  auto row = read(one.id);
  if (!row) return line_.push_back(one);
  if (*row && suspects_.at(one.id).hold()) {
    hold(suspects_.at(one.id), **row);
    return poison_->forget(one.id);
  }
  if (!one.scheduled) watched_.push_back(one.id);
  if (!*row) return;
  if (one.scheduled && std::ranges::none_of((*row)->due, &queue::DueRow::held)) scheduler_.hold(one.id, false);
  if (!one.scheduled) scheduler_.add((*row)->due, 0);
  given_ = clock_.steady();
  current_ = one;
}

void Suspects::forget_ended() {
  std::vector<QueueId> ended;
  std::erase_if(watched_, [&](QueueId id) {
    auto standing = scheduler_.standing(id);
    if (standing) return false;
    ended.push_back(id);
    return true;
  });
  if (!ended.empty()) poison_->forget(ended);
}

Duration Suspects::step() {
  if (current_ && is_under_way(*current_)) return kSoon;
  current_.reset();
  forget_ended();
  if (!line_.empty()) {
    Waiting next = line_.front();
    line_.pop_front();
    give(next);
  }
  if (current_ || !line_.empty()) return kSoon;
  return watched_.empty() ? Duration(0) : kLater;
}

}  // namespace sidegate::daemon
