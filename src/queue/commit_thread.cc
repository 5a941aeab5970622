#include "queue/commit_thread.h"

#include <pthread.h>

namespace sidegate::queue {
namespace {

using RealTime = std::chrono::steady_clock;  // pauses and the late sync are real time; what is old is the clock's
constexpr auto kLateSync = std::chrono::seconds(1);
constexpr auto kLongestPatience = std::chrono::microseconds(500);
constexpr std::size_t kKeptOctets = 16u << 20;
constexpr auto kFirstPause = std::chrono::milliseconds(100), kLongestPause = std::chrono::milliseconds(5000);

QueueId id_of(const Work& work) {
  if (auto* accept = std::get_if<Accept>(&work)) return accept->message->id;
  if (auto* chunk = std::get_if<PutChunk>(&work)) return chunk->id;
  return {};
}

Pending nobody_waits(Work work) {
  Pending pending;
  pending.octets = octets_of(work);
  pending.work = std::move(work);
  return pending;
}

bool is_refused(Pending& pending) {
  return std::atomic_ref<bool>(pending.refused).load();
}

Result<Mark> read_mark(const RocksDb& db) {
  auto value = db.get(Family::kMeta, kMarkKey);
  if (!value && value.error().kind == ErrorKind::kNotFound) return Mark{};
  if (!value) return std::unexpected(value.error());
  auto mark = decode_mark(kMarkKey, *value);
  if (!mark) return mark;
  std::unique_ptr<rocksdb::Iterator> last(db->NewIterator(rocksdb::ReadOptions(), db.family(Family::kEnvelope)));
  last->SeekToLast();
  if (last->Valid()) mark->highest = std::max(mark->highest, id_of_key(view(last->key())));
  return mark;
}

}  // namespace

CommitThread::CommitThread(const StoreSettings& settings, Clock& clock, Log& log, const MemoryBudget& budget,
                           RocksDbPlace& place, MakeRoom make_room, const Expected& expected)
    : settings_(settings),
      clock_(clock),
      log_(log),
      budget_(budget),
      place_(place),
      make_room_(std::move(make_room)),
      queue_(expected),
      builder_(log) {}

CommitThread::~CommitThread() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  {
    std::lock_guard lock(pause_mutex_);
  }
  pause_.notify_all();
  queue_.close();
  thread_.join();
  queue_.stop_watching();
  watchdog_.join();
}

Status CommitThread::start(const std::function<Status(const RocksDb&)>& first) {
  auto db = open();
  if (!db && db.error().kind == ErrorKind::kNoSpace) {
    make_room_(db.error());
    db = open();
  }
  if (!db) return std::unexpected(db.error());
  auto mark = read_mark(**db);
  if (!mark) return std::unexpected(mark.error());
  if (first) {
    if (auto done = first(**db); !done) return done;
  }
  highest_at_start_ = mark->highest;
  synced_group_ = mark->group;  // opening wrote all that it found into synced tables
  builder_.attach(db->get(), *mark);
  publish_counts();
  place_.put(std::move(*db));
  queue_.push(nobody_waits(Sweep{}));
  thread_ = std::thread([this] { run(); });
  watchdog_ = std::thread([this] { watch(); });
  return {};
}

Result<std::unique_ptr<RocksDb>> CommitThread::open() {
  background_failed_ = false;
  return RocksDb::open(
      settings_, budget_,
      [this](Error error) {
        {
          std::lock_guard lock(background_mutex_);
          background_error_ = std::move(error);
        }
        background_failed_ = true;
        queue_.poke();
      },
      log_);
}

void CommitThread::commit(Work work, Done done) {
  Pending pending;
  pending.octets = octets_of(work);
  pending.work = std::move(work);
  pending.done = std::move(done);
  pending.since = clock_.steady();
  queue_.push(std::move(pending));
}

// --- the loop

void CommitThread::run() {
  pthread_setname_np(pthread_self(), "commit");
  while (!failed_) {
    auto& group = queue_.take(sync_by_, patience_);
    if (background_failed_) {
      Error cause;
      {
        std::lock_guard lock(background_mutex_);
        cause = background_error_.value_or(Error{ErrorKind::kStorage, "background work of the queue"});
      }
      reopen({}, cause);
    }
    process(group);
    const bool nothing = group.empty();
    queue_.release();
    if (!failed_ && sync_by_ && RealTime::now() >= *sync_by_) sync_now();
    if (nothing && stopping_ && queue_.empty()) break;
  }
  if (!failed_ && sync_by_) sync_now();
  const Error closed{ErrorKind::kStorage, "the queue is closed"};
  for (auto& entry : queue_.take_all()) {
    if (entry.done) entry.done(std::unexpected(closed));
  }
  place_.put(nullptr);
}

void CommitThread::process(Entries group) {
  while (!group.empty() && !failed_) {
    std::size_t n = build(group);
    write(group.first(n));
    group = group.subspan(n);
  }
  if (group.empty()) return;
  queue_.settle(group);
  for (auto& entry : group) entry.result = fail(ErrorKind::kStorage, "the queue is closed");
  answer(group);
}

std::size_t CommitThread::build(Entries entries) {
  builder_.clear();
  std::size_t n = 0;
  for (auto& entry : entries) {
    if (n > 0 && builder_.needs_next_batch(entry.work)) break;
    ++n;
    if (is_refused(entry)) continue;  // answered while it waited; what it left behind goes after this write
    entry.result = builder_.add(entry.work);
  }
  return n;
}

void CommitThread::write(Entries entries) {
  if (builder_.empty()) return written(entries, false);
  const bool sync = builder_.needs_sync() || kept_octets_ > kKeptOctets;
  auto options = sync ? committing_write(settings_) : unsynced_write();
  const auto began = RealTime::now();
  auto status = (*place_.writer_view())->Write(options, &builder_.finish());
  if (sync) learn_patience(RealTime::now() - began);
  if (!status.ok()) return failed(entries, status);
  groups_.fetch_add(1, std::memory_order_relaxed);
  publish_counts();
  written(entries, sync);
}

// Twice what a sync takes, smoothed. Where a sync takes longer than the bound, groups are large by themselves.
void CommitThread::learn_patience(std::chrono::nanoseconds sync_took) {
  patience_ = std::min<std::chrono::nanoseconds>((patience_ * 7 + 2 * sync_took) / 8, kLongestPatience);
}

void CommitThread::written(Entries entries, bool synced) {
  if (synced) {
    synced_group_ = builder_.mark().group;
    kept_.clear();
    kept_octets_ = 0;
    sync_by_.reset();
  }
  queue_.settle(entries);
  undo_refused(entries);
  answer(entries);
  if (!synced && !builder_.empty()) keep(entries);
}

void CommitThread::answer(Entries entries) {
  for (auto& entry : entries) {
    if (auto done = std::exchange(entry.done, nullptr)) done(std::move(entry.result));
  }
}

// What was refused is not delivered: it goes with the next group, synced.
void CommitThread::undo_refused(Entries entries) {
  std::vector<Pending> undo;
  for (auto& entry : entries) {
    if (!refusable(entry.work) || (!entry.refused && entry.result)) continue;
    auto* accept = std::get_if<Accept>(&entry.work);
    if (accept && entry.result) {
      undo.push_back(nobody_waits(Remove{accept->message->id}));
    } else if (!accept || accept->first_chunk > 0) {
      undo.push_back(nobody_waits(Discard{id_of(entry.work)}));
    }
  }
  if (!undo.empty()) queue_.push_front(std::move(undo));
}

// Until a sync covers them, unsynced changes can be made again after a failed one.
void CommitThread::keep(Entries entries) {
  for (auto& entry : entries) {
    if (!entry.result || refusable(entry.work) || std::holds_alternative<Sweep>(entry.work)) continue;
    kept_octets_ += entry.octets;
    kept_.push_back({builder_.mark().group, nobody_waits(std::move(entry.work))});
  }
  if (!kept_.empty() && !sync_by_) sync_by_ = RealTime::now() + kLateSync;
}

void CommitThread::sync_now() {
  sync_by_.reset();
  auto status = settings_.sync ? (*place_.writer_view())->SyncWAL() : rocksdb::Status::OK();
  if (!status.ok()) return reopen({}, rocksdb_error(status, "cannot sync the queue"));
  synced_group_ = builder_.mark().group;
  kept_.clear();
  kept_octets_ = 0;
}

void CommitThread::publish_counts() {
  highest_.store(builder_.mark().highest.value, std::memory_order_relaxed);
  erased_octets_.store(builder_.erased_octets(), std::memory_order_relaxed);
  erased_messages_.store(builder_.erased_messages(), std::memory_order_relaxed);
}

// --- failure

void CommitThread::failed(Entries entries, const rocksdb::Status& status) {
  const Error error = rocksdb_error(status, "cannot write to the queue");
  reopening_ = true;
  place_.hide();
  queue_.refuse_arrivals(error);
  queue_.settle(entries);
  std::vector<Pending> again;
  for (auto& entry : entries) {
    auto* accept = std::get_if<Accept>(&entry.work);
    if (accept) to_erase_.push_back(accept->message->id);
    if (refusable(entry.work) && entry.result) entry.result = std::unexpected(error);
    if (!refusable(entry.work) && entry.result) again.push_back(std::move(entry));
  }
  answer(entries);  // `done` of those that are tried again has moved
  reopen(std::move(again), error);
}

// The log whose sync failed is never synced again: the kernel may have dropped its pages and say yes the second time.
void CommitThread::reopen(std::vector<Pending> failed, const Error& cause) {
  log_.error("queue_reopening", {{"cause", cause.text}});
  reopening_ = true;
  queue_.refuse_arrivals(cause);
  const Mark before = builder_.mark();
  builder_.attach(nullptr, before);
  place_.put(nullptr);
  Error error = cause;
  for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    if (error.kind == ErrorKind::kNoSpace) make_room_(error);
    auto db = open();
    auto mark = db ? read_mark(**db) : std::unexpected(db.error());
    if (mark) {
      Mark next = *mark;
      next.highest = std::max(next.highest, before.highest);
      next.sequence = std::max(next.sequence, before.sequence);
      if (auto cleaned = clean(**db, next)) {
        place_.put(std::move(*db));
        replay(std::move(failed), before.group, mark->group);
        break;
      } else {
        error = cleaned.error();
        builder_.attach(nullptr, before);
      }
    } else {
      error = mark.error();
    }
    if (db) db->reset();
    log_.error("queue_reopen_failed", {{"cause", error.text}});
    std::unique_lock lock(pause_mutex_);
    if (pause_.wait_for(lock, pause, [this] { return stopping_.load(); })) {
      failed_ = true;
      for (auto& entry : failed) {
        if (entry.done) entry.done(std::unexpected(error));
      }
      return;
    }
  }
  reopening_ = false;
  queue_.refuse_arrivals(std::nullopt);
  log_.warning("queue_reopened", {{"group", builder_.mark().group}});
}

Status CommitThread::clean(const RocksDb& db, Mark mark) {
  if (mark.group < synced_group_) {
    log_.error("queue_lost_groups", {{"found", mark.group}, {"synced", synced_group_}});
  }
  builder_.attach(&db, mark);
  for (QueueId id : to_erase_) {
    if (auto erased = builder_.erase_if_there(id); !erased) return erased;
  }
  if (auto erased = builder_.erase_open(); !erased) return erased;
  auto status = db->Write(committing_write(settings_), &builder_.finish());
  if (!status.ok()) return std::unexpected(rocksdb_error(status, "cannot write to the queue"));
  builder_.clear();
  to_erase_.clear();
  synced_group_ = builder_.mark().group;
  publish_counts();
  return {};
}

void CommitThread::replay(std::vector<Pending> failed, std::uint64_t failed_group, std::uint64_t survived) {
  std::vector<Pending> again;
  for (auto& kept : kept_) {
    if (kept.group > survived) again.push_back(std::move(kept.pending));
  }
  for (auto& entry : failed) {
    if (failed_group > survived) {
      again.push_back(std::move(entry));
    } else if (entry.done) {
      entry.done({});  // it was written after all
    }
  }
  kept_.clear();
  kept_octets_ = 0;
  sync_by_.reset();
  if (!again.empty()) queue_.push_front(std::move(again));
}

// --- the watchdog

void CommitThread::watch() {
  const auto poll = std::clamp<std::chrono::milliseconds>(settings_.stall_limit / 20, std::chrono::milliseconds(10),
                                                          std::chrono::milliseconds(500));
  const Error stall{ErrorKind::kOverload, "the queue's disk is stalled"};
  while (queue_.watch(poll)) {
    if (reopening_) {
      queue_.refuse_arrived();
    } else {
      stalled_ = queue_.refuse_older(clock_.steady() - settings_.stall_limit, stall);
    }
  }
}

}  // namespace sidegate::queue
