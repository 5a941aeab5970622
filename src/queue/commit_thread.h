// The only writer. It takes all that waits at that moment, makes one WriteBatch and one write of it, and calls back;
// what arrives meanwhile is the next group. What happens when a write fails or stalls: doc/queue.md, "The commit
// thread".
#pragma once

#include <atomic>
#include <thread>

#include "queue/batch_builder.h"
#include "queue/commit_queue.h"

namespace sidegate::queue {

class CommitThread {
 public:
  // What opening needs beyond the database itself: called after a failure to open, before the next try.
  using MakeRoom = std::function<void(const Error&)>;

  CommitThread(const StoreSettings& settings, Clock& clock, Log& log, const MemoryBudget& budget, RocksDbPlace& place,
               MakeRoom make_room, const Expected& expected);
  ~CommitThread();  // finishes what was taken, syncs, closes

  // Opens the database; the threads run from here on. `first` may change what was found, before anybody reads.
  Status start(const std::function<Status(const RocksDb&)>& first = nullptr);
  void commit(Work work, Done done);  // any thread

  bool reopening() const { return reopening_.load(std::memory_order_relaxed); }
  bool stalled() const { return stalled_.load(std::memory_order_relaxed); }
  QueueId highest_at_start() const { return highest_at_start_; }
  QueueId highest() const { return QueueId{highest_.load(std::memory_order_relaxed)}; }
  std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }
  std::uint64_t erased_octets() const { return erased_octets_.load(std::memory_order_relaxed); }
  std::uint64_t erased_messages() const { return erased_messages_.load(std::memory_order_relaxed); }

 private:
  struct Kept {  // a change whose group no sync covers yet
    std::uint64_t group = 0;
    Pending pending;
  };
  using Entries = std::span<Pending>;

  void run();
  void watch();
  void process(Entries group);
  std::size_t build(Entries entries);  // how many went into the batch
  void write(Entries entries);
  void learn_patience(std::chrono::nanoseconds sync_took);
  void written(Entries entries, bool synced);
  void failed(Entries entries, const rocksdb::Status& status);
  void answer(Entries entries);
  void undo_refused(Entries entries);
  void keep(Entries entries);
  void sync_now();
  void reopen(std::vector<Pending> failed, const Error& cause);
  Result<std::unique_ptr<RocksDb>> open();
  Status clean(const RocksDb& db, Mark mark);  // before anybody can read
  void replay(std::vector<Pending> failed, std::uint64_t failed_group, std::uint64_t survived);
  void publish_counts();

  const StoreSettings& settings_;
  Clock& clock_;
  Log& log_;
  const MemoryBudget& budget_;
  RocksDbPlace& place_;
  MakeRoom make_room_;
  CommitQueue queue_;
  BatchBuilder builder_;
  std::thread thread_, watchdog_;

  // The commit thread's own.
  std::vector<Kept> kept_;
  std::size_t kept_octets_ = 0;
  std::vector<QueueId> to_erase_;  // answered with an error in a group that failed
  std::uint64_t synced_group_ = 0;
  std::chrono::nanoseconds patience_{0};  // for messages that are on their way: about as long as two syncs take
  std::optional<std::chrono::steady_clock::time_point> sync_by_;  // set while unsynced writes wait for a sync
  bool failed_ = false;

  std::mutex background_mutex_;
  std::optional<Error> background_error_;
  std::atomic<bool> background_failed_{false};
  std::atomic<bool> stopping_{false}, reopening_{false}, stalled_{false};
  QueueId highest_at_start_;
  std::atomic<std::uint64_t> highest_{0}, groups_{0}, erased_octets_{0}, erased_messages_{0};
  std::mutex pause_mutex_;
  std::condition_variable pause_;
};

}  // namespace sidegate::queue
