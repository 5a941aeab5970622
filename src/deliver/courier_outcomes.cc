// How a lease comes to its end: what the attempt came to is written, reports with it, and the schedule is told.
#include <algorithm>

#include "deliver/courier.h"
#include "queue/await_commit.h"

namespace sidegate::deliver {

constexpr Duration kLookForRoom = 250ms;

// The same for every class of the lease.
static std::vector<queue::ClassResult> results_of(const queue::Lease& lease, queue::ClassResult each) {
  std::vector<queue::ClassResult> results;
  for (queue::ClassId id : lease.classes) {
    each.class_id = id;
    results.push_back(each);
  }
  return results;
}

void Courier::give_back(const queue::Lease& lease) {
  auto results = results_of(lease, {.next = queue::ClassResult::Next::kSameWay, .counts = false});
  parts_.scheduler.finish(lease, results, parts_.loop.index());
}

bool Courier::had_ended(Attempted::Fate fate, const queue::Lease& lease) {
  if (fate != Attempted::Fate::kGone && fate != Attempted::Fate::kEnded) return false;
  Settled settled;
  settled.results = results_of(lease, {.counts = false});
  if (fate == Attempted::Fate::kEnded) {
    // A crash came between the last recipient's outcome and its class's: that is made up for, and perhaps the message's
    // end.
    settled.outcome.id = lease.id;
    settled.outcome.due_removed = lease.classes;
    settled.changes = settled.ask_again = true;
  }
  settle(lease, std::move(settled));
  return true;
}

void Courier::after_unread(const queue::Lease& lease) {
  parts_.loop.log().warning("message_unread",
                            {{"id", lease.id.text()}, {"explanation", verdict_our_trouble().explanation}});
  const WallTime due = parts_.loop.clock().wall() + parts_.schedule.retry_first;
  auto results = results_of(lease, {.next = queue::ClassResult::Next::kAt, .due = due, .counts = false});
  parts_.scheduler.finish(lease, results, parts_.loop.index());
}

// Written, or there is nothing left to write it to: the claim has lapsed, or an operator has deleted the message.
static bool is_settled(const Status& written) {
  return written || written.error().kind == ErrorKind::kConflict || written.error().kind == ErrorKind::kNotFound;
}

void Courier::settle(queue::Lease lease, Settled settled) {
  const unsigned loop = parts_.loop.index();
  if (!settled.changes) {
    parts_.scheduler.finish(lease, settled.results, loop);
    return;
  }
  // A report is noted in rows, also where no attempt is counted: the next one must read them (Attempt::load).
  const bool reported = !settled.outcome.reports.empty();
  if ((settled.outcome.finished || reported) && parts_.forget) parts_.forget(lease.id);
  if (settled.outcome.finished) {
    parts_.loop.log().info("removed", {{"id", lease.id.text()}});
  }
  bool usual = settled.outcome.finished && settled.outcome.reports.empty();
  if (usual) parts_.scheduler.finish(lease, settled.results, loop);
  if (!usual) {
    ++writers_;
    unwritten_->fetch_add(1);
    parts_.loop.spawn("outcome", write(std::move(lease), std::move(settled), true));
    return;
  }
  // The usual message has ended: one small change, no coroutine. A failed write is tried again by one.
  unwritten_->fetch_add(1);
  queue::Outcome outcome = std::move(settled.outcome);
  QueueId id = outcome.id;
  auto done = [this, id, counter = unwritten_](Status status) {
    if (is_settled(status)) {
      counter->fetch_sub(1);
      return;
    }
    parts_.loop.post([this, id] {
      ++writers_;
      queue::Lease lease;
      lease.id = id;
      Settled again;
      again.outcome.id = id;
      again.outcome.finished = true;
      parts_.loop.spawn("outcome", write(std::move(lease), std::move(again), false));
    });
  };
  parts_.store.commit(std::move(outcome), std::move(done));
}

void Courier::log_report(const queue::Message& report, QueueId about, const PlannedReport& plan) const {
  bool delay = std::ranges::all_of(plan.about, [](const Reported& r) { return r.action == dsn::Action::kDelayed; });
  bool failure = std::ranges::any_of(plan.about, [](const Reported& r) { return r.action == dsn::Action::kFailed; });
  std::string id = report.id.text(), about_id = about.text();
  parts_.loop.log().info("report", {{"id", id},
                                    {"about", about_id},
                                    {"to", plan.to},
                                    {"kind", failure ? "failure"
                                             : delay ? "delay"
                                                     : "success"},
                                    {"size", report.header_size + report.body_size},
                                    {"msgid", report.message_id}});
}

// Until it is written: what the relay has taken must not be forgotten while the store has its trouble.
net::Awaitable<void> Courier::write(queue::Lease lease, Settled settled, bool finish_after) {
  const unsigned loop = parts_.loop.index();
  for (bool first = true;; first = false) {
    queue::Outcome copy = settled.outcome;
    Status written = co_await queue::commit(parts_.store, std::move(copy));
    if (is_settled(written)) break;
    if (first) parts_.loop.log().error("outcome_unwritten", {{"id", lease.id.text()}, {"error", written.error().text}});
    if (stopping_) break;
    co_await parts_.loop.sleep(2s);
  }
  unwritten_->fetch_sub(1);
  if (finish_after) parts_.scheduler.finish(lease, settled.results, loop);
  for (std::size_t i = 0; i < settled.outcome.reports.size(); ++i) {
    const queue::Accept& report = settled.outcome.reports[i];
    log_report(*report.message, lease.id, settled.reports[i]);
    parts_.scheduler.add(report.due, loop);
  }
  if (settled.ask_again) co_await finish_if_all_ended(lease.id);
  --writers_;
}

// Other classes of this message were under way elsewhere when this one ended: whoever is written last removes it.
net::Awaitable<void> Courier::finish_if_all_ended(QueueId id) {
  auto read = [&store = parts_.store, id]() -> Result<bool> {
    auto message = store.message(id);
    if (!message) return std::unexpected(message.error());
    auto rows = store.recipients(id);
    if (!rows) return std::unexpected(rows.error());
    auto ended =
        std::ranges::count_if(*rows, [](const auto& row) { return row.state != queue::RecipientState::kPending; });
    return static_cast<std::size_t>(ended) == message->envelope.recipients.size();
  };
  auto all = co_await net::on_worker(parts_.workers, std::move(read));
  if (!all || !*all || !**all) co_return;
  queue::Outcome outcome;
  outcome.id = id;
  outcome.finished = true;
  Status written = co_await queue::commit(parts_.store, std::move(outcome));
  if (!written) co_return;  // another one was first; else the next start finds it (daemon/stray_sweep.h)
  if (parts_.forget) parts_.forget(id);
  parts_.loop.log().info("removed", {{"id", id.text()}});
}

net::Awaitable<void> Courier::room_for_outcomes() {
  while (unwritten_->load() >= kMostUnwritten && !stopping_) co_await parts_.loop.sleep(kLookForRoom);
}

// --- messages of ways that are down

void Courier::look_overdue() {
  if (stopping_ || giving_overdue_ || !ways_ || unwritten_->load() >= kMostUnwritten) return;
  auto leases = parts_.scheduler.overdue();
  if (leases.empty()) return;
  giving_overdue_ = true;
  parts_.loop.spawn("overdue messages", give_overdue(std::move(leases)));
}

net::Awaitable<void> Courier::give_overdue(std::vector<queue::Lease> leases) {
  auto ways = ways_;
  Way none;
  for (queue::Lease& lease : leases) {
    co_await room_for_outcomes();
    const auto way = ways->find(lease.way, parts_.scheduler, parts_.loop.clock().steady());
    const auto state = parts_.scheduler.way(lease.way);
    const bool known = way != nullptr;
    Verdict verdict;
    verdict.scope = Scope::kWay;
    verdict.action = Action::kHoldWay;
    verdict.meaning = known ? "way-down" : "no-way";
    verdict.status = {4, 4, 1};
    verdict.explanation =
        known ? "The relay for this message cannot be used now." : "No relay is configured for this message.";
    std::string reason = known && state ? state->reason : std::string();
    queue::InHand in_hand(parts_.poison, lease.id, "");
    Attempt attempt(parts_, *ways, known ? *way : none, lease, 0.0);
    Attempted attempted = co_await attempt.give(verdict, std::move(reason));
    if (attempted.fate == Attempted::Fate::kSettled)
      settle(std::move(lease), std::move(attempted.settled));
    else if (!had_ended(attempted.fate, lease))
      give_back(lease);
  }
  giving_overdue_ = false;
}

}  // namespace sidegate::deliver
