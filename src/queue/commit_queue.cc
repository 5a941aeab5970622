#include "queue/commit_queue.h"

namespace sidegate::queue {
namespace {

constexpr unsigned kIdlePolls = 20;  // then the watchdog rests until something is taken

std::size_t octets_of_accept(const Accept& accept) {
  return 1024 + accept.header.size() + accept.body.size();
}

void answer(std::vector<Pending> refused, const Error& error) {
  for (auto& pending : refused) {
    if (pending.done) pending.done(std::unexpected(error));
  }
}

}  // namespace

Work to_work(Change change) {
  return std::visit([](auto&& one) { return Work(std::move(one)); }, std::move(change));
}

bool refusable(const Work& work) {
  return std::holds_alternative<Accept>(work) || std::holds_alternative<PutChunk>(work);
}

std::size_t octets_of(const Work& work) {
  if (auto* accept = std::get_if<Accept>(&work)) return octets_of_accept(*accept);
  if (auto* chunk = std::get_if<PutChunk>(&work)) return 256 + chunk->bytes.size();
  if (auto* outcome = std::get_if<Outcome>(&work)) {
    std::size_t n = 256 + outcome->due.size() * 64;
    for (const auto& row : outcome->recipients) n += 128 + row.last_reply.size() + row.last_host.size();
    if (outcome->attempt) n += 512 + outcome->attempt->reply.size() + 4 * outcome->attempt->recipients.size();
    for (const Accept& report : outcome->reports) n += octets_of_accept(report);
    return n;
  }
  if (auto* note = std::get_if<Note>(&work)) return 256 + note->key.size() + note->value.size();
  if (auto* intern = std::get_if<Intern>(&work)) return 256 * (1 + intern->classes.size());
  return 128;
}

void CommitQueue::push(Pending pending) {
  bool too_much = false, wake = false, wake_watch = false;
  {
    std::lock_guard lock(mutex_);
    too_much = refuse_ && !refusable(pending.work) && waiting_octets_ + pending.octets > kWaitingOctets;
    if (!too_much) {
      waiting_octets_ += pending.octets;
      if (refusable(pending.work)) ++messages_;
      waiting_.push_back(std::move(pending));
      wake = sleeping_ && messages_ >= wanted_;
      if (wake) sleeping_ = false;
      wake_watch = refuse_.has_value();
      if (wake_watch) watch_poked_ = true;
    }
  }
  if (wake) wake_.notify_one();
  if (wake_watch) watch_wake_.notify_one();
  if (too_much && pending.done) {
    pending.done(fail(ErrorKind::kStorage, "the queue is reopening and too much waits for it"));
  }
}

void CommitQueue::poke() {
  {
    std::lock_guard lock(mutex_);
    poked_ = true;
    sleeping_ = false;
  }
  wake_.notify_one();
}

void CommitQueue::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    sleeping_ = false;
  }
  wake_.notify_one();
}

// A disk that syncs quicker than clients bring their messages would be asked once a message, for nothing: each sync
// costs more than the moment costs whoever waits.
void CommitQueue::wait_for_others(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds patience) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (!poked_ && !closed_ && messages_ < (wanted_ = expected_.count())) {
    sleeping_ = true;
    if (wake_.wait_until(lock, limit) == std::cv_status::timeout) break;
  }
  wanted_ = 0;
}

CommitQueue::Group& CommitQueue::take(std::optional<std::chrono::steady_clock::time_point> until,
                                      std::chrono::nanoseconds patience) {
  std::unique_lock lock(mutex_);
  auto something = [&] { return !waiting_.empty() || poked_ || closed_; };
  while (!something()) {
    sleeping_ = true;
    if (!until) {
      wake_.wait(lock);
    } else if (wake_.wait_until(lock, *until) == std::cv_status::timeout) {
      break;
    }
  }
  if (messages_ > 0 && patience.count() > 0) wait_for_others(lock, patience);
  sleeping_ = poked_ = false;
  std::size_t octets = 0;
  while (!waiting_.empty() && (in_hand_.empty() || octets + waiting_.front().octets <= kGroupOctets)) {
    octets += waiting_.front().octets;
    if (refusable(waiting_.front().work)) --messages_;
    in_hand_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_octets_ -= octets;
  if (!in_hand_.empty() && std::exchange(resting_, false)) watch_wake_.notify_one();
  return in_hand_;
}

void CommitQueue::settle(std::span<Pending> entries) {
  std::lock_guard lock(mutex_);
  for (auto& entry : entries) entry.settled = true;
}

void CommitQueue::release() {
  Group done_with;  // destroyed outside of the lock
  std::lock_guard lock(mutex_);
  done_with.swap(in_hand_);
}

void CommitQueue::push_front(std::vector<Pending> entries) {
  std::lock_guard lock(mutex_);
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    waiting_octets_ += it->octets;
    if (refusable(it->work)) ++messages_;
    it->settled = false;
    waiting_.push_front(std::move(*it));
  }
  poked_ = true;
}

bool CommitQueue::empty() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty();
}

void CommitQueue::refuse_arrivals(std::optional<Error> error) {
  {
    std::lock_guard lock(mutex_);
    refuse_ = std::move(error);
    watch_poked_ = true;
    resting_ = false;
  }
  watch_wake_.notify_one();
}

CommitQueue::Group CommitQueue::take_all() {
  std::lock_guard lock(mutex_);
  Group all(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  waiting_octets_ = messages_ = 0;
  return all;
}

bool CommitQueue::watch(std::chrono::milliseconds poll) {
  std::unique_lock lock(mutex_);
  idle_polls_ = idle() ? idle_polls_ + 1 : 0;
  if (idle_polls_ >= kIdlePolls) {
    resting_ = true;
    watch_wake_.wait(lock, [&] { return !resting_ || watch_stop_; });
    idle_polls_ = 0;
  } else {
    watch_wake_.wait_for(lock, poll, [&] { return watch_poked_ || watch_stop_; });
  }
  watch_poked_ = false;
  return !watch_stop_;
}

void CommitQueue::forget_stream(const Pending& pending) {
  // What was refused leaves its earlier chunks behind: the stream ends here.
  QueueId id;
  if (auto* accept = std::get_if<Accept>(&pending.work); accept && accept->first_chunk > 0) id = accept->message->id;
  if (auto* chunk = std::get_if<PutChunk>(&pending.work)) id = chunk->id;
  if (!id) return;
  Pending discard;
  discard.work = Discard{id};
  discard.octets = octets_of(discard.work);
  waiting_octets_ += discard.octets;
  waiting_.push_back(std::move(discard));
}

bool CommitQueue::refuse_older(SteadyTime before, const Error& error) {
  std::vector<Pending> refused;
  bool in_hand = false;
  {
    std::lock_guard lock(mutex_);
    for (auto& entry : in_hand_) {
      if (entry.settled || entry.since > before) continue;
      in_hand = true;
      std::atomic_ref<bool> is_refused(entry.refused);  // the commit thread looks at it while it builds
      if (is_refused || !refusable(entry.work)) continue;
      is_refused = true;
      refused.emplace_back().done = std::move(entry.done);
    }
    // Those never reach the disk. The work that is not refusable keeps its order.
    for (std::size_t i = 0, n = waiting_.size(); i < n; ++i) {
      Pending entry = std::move(waiting_.front());
      waiting_.pop_front();
      if (refusable(entry.work) && entry.since <= before) {
        waiting_octets_ -= entry.octets;
        --messages_;
        forget_stream(entry);
        refused.push_back(std::move(entry));
      } else {
        waiting_.push_back(std::move(entry));
      }
    }
  }
  answer(std::move(refused), error);
  return in_hand;
}

void CommitQueue::refuse_arrived() {
  std::optional<Error> error;
  {
    std::lock_guard lock(mutex_);
    error = refuse_;
  }
  if (error) refuse_older(SteadyTime::max(), *error);
}

void CommitQueue::stop_watching() {
  {
    std::lock_guard lock(mutex_);
    watch_stop_ = true;
  }
  watch_wake_.notify_one();
}

}  // namespace sidegate::queue
