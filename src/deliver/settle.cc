#include "deliver/settle.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/guise.h"
#include "queue/retry.h"

namespace sidegate::deliver {
namespace {

using Next = queue::ClassResult::Next;

const mail::Recipient& recipient_of(const Circumstances& c, const Target& t) {
  return c.message->envelope.recipients[t.n];
}

bool ended(const Target& t) {
  return t.verdict.action == Action::kDelivered || t.verdict.action == Action::kFail;
}

// What the verdict comes to for this recipient, here and now.
void resolve(const Circumstances& c, Target& t) {
  const mail::Envelope& envelope = c.message->envelope;
  if (t.verdict.action == Action::kNextWay) {
    auto key = route::class_key(envelope, c.message->origin, recipient_of(c, t));
    if (!c.routes->after(key, c.way_id.value_or(c.lease->way))) t.verdict.action = t.verdict.otherwise;
  }
  bool waits =
      t.verdict.action != Action::kDelivered && t.verdict.action != Action::kFail && t.verdict.action != Action::kHold;
  if (waits && queue::expired(*c.schedule, c.arrived, c.now)) t.verdict = verdict_expired(t.verdict);
}

// Promise 2: a failure is told to the reverse-path, or to the postmaster, or kept. RFC 5321 section 4.5.5: never to <>.
enum class Told : std::uint8_t { kSender, kPostmaster, kNobodyWants, kKept };
Told told(const Circumstances& c, const Target& t) {
  const mail::Envelope& envelope = c.message->envelope;
  const mail::Recipient& recipient = recipient_of(c, t);
  if (!dsn::wants(recipient.notify, dsn::Action::kFailed)) return Told::kNobodyWants;
  if (!envelope.reverse_path.empty()) return Told::kSender;
  // Also by way of an alias: the postmaster's own address, failing, must not be told to the postmaster again.
  bool went_there = iequals(recipient.address, c.postmaster) || iequals(recipient.original, c.postmaster);
  return c.postmaster.empty() || went_there ? Told::kKept : Told::kPostmaster;
}

// Somebody wants to know of its delay, and was not told yet.
bool tells_delay(const Circumstances& c, const Target& t) {
  return !t.row.delay_reported && !c.message->envelope.reverse_path.empty() && !c.message->is_report &&
         dsn::wants(recipient_of(c, t).notify, dsn::Action::kDelayed);
}

bool delay_due(const Circumstances& c, const Target& t) {
  return tells_delay(c, t) && queue::delay_report_due(*c.schedule, c.arrived, c.now);
}

// In one report with the others that go to the same address.
void plan(Settled& s, const std::string& to, Reported reported, bool returns_whole = false) {
  auto at = std::ranges::find(s.reports, to, &PlannedReport::to);
  if (at == s.reports.end()) at = s.reports.insert(at, PlannedReport{.to = to, .about = {}});
  at->about.push_back(reported);
  at->returns_whole |= returns_whole;
}

void report(const Circumstances& c, std::size_t i, Target& t, Settled& s) {
  const mail::Envelope& envelope = c.message->envelope;
  const std::string& to = return_address(envelope, recipient_of(c, t));
  if (t.verdict.action == Action::kDelivered) {
    // RFC 3461 section 5.2.2: "relayed" when the next host does not take the task over, "delivered" where it ends.
    if (recipient_of(c, t).notify.success && !c.relay_reports && !envelope.reverse_path.empty()) {
      const bool expanded = mail::tells_of(recipient_of(c, t), mail::kExpanded);
      plan(s, to,
           {i, expanded     ? dsn::Action::kExpanded
               : c.is_final ? dsn::Action::kDelivered
                            : dsn::Action::kRelayed});
    }
    return;
  }
  if (t.verdict.action != Action::kFail) {
    if (!delay_due(c, t)) return;
    t.row.delay_reported = true;
    plan(s, to, {i, dsn::Action::kDelayed});
    return;
  }
  switch (told(c, t)) {
    case Told::kNobodyWants:
      break;
    case Told::kSender:
      plan(s, to, {i, dsn::Action::kFailed});
      break;
    case Told::kPostmaster:
      plan(s, c.postmaster, {i, dsn::Action::kFailed}, true);
      break;
    case Told::kKept:
      s.held.push_back(t.n);
      break;
  }
}

bool is_held(const Settled& s, const Target& t) {
  return std::ranges::find(s.held, t.n) != s.held.end();
}

// The class's next step: the most hopeful of its recipients' ones.
Next next_of(const Settled& s, queue::ClassId id, std::span<const Target> targets) {
  bool defer = false, next_way = false, way = false, held = false, aside = false;
  for (const Target& t : targets) {
    if (t.class_id != id) continue;
    if (is_held(s, t) || t.verdict.action == Action::kHold) {
      held = true;
    } else if (!ended(t)) {
      next_way |= t.verdict.action == Action::kNextWay;
      way |= t.verdict.action == Action::kHoldWay;
      defer |= t.verdict.action == Action::kDefer;
      aside |= t.verdict.action == Action::kStepAside;
    }
  }
  if (next_way) return Next::kNextWay;
  if (defer || aside) return Next::kAt;
  if (way) return Next::kSameWay;
  return held ? Next::kHold : Next::kEnd;
}

bool all_step_aside(queue::ClassId id, std::span<const Target> targets) {
  return std::ranges::all_of(
      targets, [&](const Target& t) { return t.class_id != id || ended(t) || t.verdict.action == Action::kStepAside; });
}

Duration least_hold(queue::ClassId id, std::span<const Target> targets) {
  Duration least = Duration(0);
  for (const Target& t : targets) {
    // What holds the way or its account is their pause, not the message's: that is free to go by another way, or by
    // this one when its block is mended.
    const bool of_the_way = t.verdict.spent || t.verdict.scope == Scope::kWay;
    if (t.class_id == id && !ended(t) && !of_the_way) least = std::max(least, t.verdict.hold);
  }
  return least;
}

// RFC 5321 section 4.5.4.1: it is given up after its lifetime, not after the retry behind it. The attempt at that time
// tells of the delay, or returns what it cannot deliver.
WallTime due_at_latest(const Circumstances& c, queue::ClassId id, std::span<const Target> targets) {
  const bool tells =
      std::ranges::any_of(targets, [&](const Target& t) { return t.class_id == id && !ended(t) && tells_delay(c, t); });
  return queue::due_at_latest(*c.schedule, c.arrived, c.now, tells);
}

queue::RecipientRow row_of(const Circumstances& c, const Settled& s, const Target& t, bool counts) {
  queue::RecipientRow row = t.row;
  row.n = t.n;
  if (t.verdict.action == Action::kDelivered) row.state = queue::RecipientState::kDelivered;
  if (t.verdict.action == Action::kFail && !is_held(s, t)) row.state = queue::RecipientState::kFailed;
  if (counts) ++row.attempts;
  row.uncertain |= t.verdict.uncertain;
  row.last_reply = t.reply;
  row.last_host = c.host;
  row.last_at = c.now;
  return row;
}

queue::AttemptRow attempt_of(const Circumstances& c, std::span<const Target> targets, std::optional<WallTime> next) {
  queue::AttemptRow row;
  const Target& told = *std::ranges::max_element(targets, {}, [](const Target& t) { return !ended(t); });
  row.at = c.now;
  row.way = c.way;
  row.address = c.address;
  row.tls = c.tls;
  row.phase = smtp::name(told.phase);
  row.reply = told.reply;
  row.meaning = std::string(told.verdict.meaning);
  row.uncertain = std::ranges::any_of(targets, [](const Target& t) { return t.verdict.uncertain; });
  row.next = next;
  for (const Target& t : targets) row.recipients.push_back(t.n);
  return row;
}

}  // namespace

Settled settle(const Circumstances& c, std::span<Target> targets) {
  Settled s;
  s.outcome.id = c.message->id;
  bool something_ended = false;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    resolve(c, targets[i]);
    report(c, i, targets[i], s);
    something_ended |= ended(targets[i]);
  }
  bool all_ended = true;
  std::optional<WallTime> next_at;
  for (queue::ClassId id : c.lease->classes) {
    queue::ClassResult result{.class_id = id, .next = next_of(s, id, targets)};
    if (result.next == Next::kEnd) {
      for (const Target& t : targets) result.taken += t.class_id == id && t.verdict.action == Action::kDelivered;
      s.outcome.due_removed.push_back(id);
      s.results.push_back(result);
      continue;
    }
    all_ended = false;
    for (const Target& t : targets) {
      const bool taken = t.verdict.action == Action::kDelivered || t.verdict.uncertain;
      result.taken += t.class_id == id && taken;
    }
    // The way's trouble costs no attempt. On a connection that had worked the lease goes back at once; on a fresh one
    // the message steps aside, so that one message that breaks connections holds up no others.
    bool way_only = result.next == Next::kSameWay;
    bool only_aside = result.next == Next::kAt && all_step_aside(id, targets);
    result.counts = (!way_only && !only_aside) || something_ended;
    const bool spent =
        std::ranges::any_of(targets, [&](const Target& t) { return t.class_id == id && t.verdict.spent; });
    if (way_only && ((!c.blame_way_only && !spent) || something_ended)) result.next = Next::kAt;
    unsigned attempts = c.lease->attempts + (result.counts ? 1u : 0u);
    Duration wait =
        std::max(queue::retry_delay(*c.schedule, std::max(attempts, 1u), c.random), least_hold(id, targets));
    if (only_aside) wait = least_hold(id, targets);
    result.due = std::min(c.now + wait, due_at_latest(c, id, targets));
    if (result.next == Next::kAt || result.next == Next::kNextWay)
      next_at = std::max(next_at.value_or(result.due), result.due);
    bool written = result.next != Next::kSameWay && (result.counts || result.next == Next::kHold);
    if (written) {
      queue::DueRow row{.id = c.message->id, .class_id = id, .due = result.due};
      row.attempts = static_cast<std::uint16_t>(std::min(attempts, 65535u));
      row.held = result.next == Next::kHold;
      row.epoch = c.lease->epoch;
      row.priority = c.lease->priority;
      s.outcome.due.push_back(row);
    }
    s.changes |= written;
    s.results.push_back(result);
  }
  s.changes |= something_ended || !s.reports.empty() || all_ended;
  s.outcome.finished = all_ended && c.others_ended;
  s.ask_again = all_ended && !c.others_ended;
  if (s.outcome.finished) {  // every row goes: none is written
    s.outcome.due_removed.clear();
    return s;
  }
  if (!s.changes) return s;
  for (const Target& t : targets) {
    bool untouched = t.verdict.action == Action::kHoldWay ? !something_ended : t.verdict.action == Action::kStepAside;
    bool counts = ended(t) || !untouched;
    s.outcome.recipients.push_back(row_of(c, s, t, counts));
  }
  s.outcome.attempt = attempt_of(c, targets, next_at);
  return s;
}

}  // namespace sidegate::deliver
