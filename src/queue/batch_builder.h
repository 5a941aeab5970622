// Turns changes into the rows of one WriteBatch. Used by the commit thread alone; reads the database where it must know
// what is there (an outcome of a message that left the memory of recent ones).
#pragma once

#include <rocksdb/write_batch.h>

#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "base/log.h"
#include "queue/commit_queue.h"
#include "queue/rocksdb_db.h"

namespace sidegate::queue {

// What the builder remembers of recent messages with one class, so that the usual message's end needs no read.
class RecentMessages {
 public:
  struct Entry {
    std::uint32_t generation = 0, chunks = 0;
    ClassId class_id = 0;
    std::uint64_t octets = 0;
    bool touched = false;  // has rows beyond those of the accept, or `due` was written again
  };
  static constexpr std::size_t kCapacity = 32'768;

  Entry* find(QueueId id);
  void add(QueueId id, Entry entry);
  void remove(QueueId id) { entries_.erase(id); }
  void clear();

 private:
  std::unordered_map<QueueId, Entry> entries_;
  std::deque<QueueId> order_;
};

class BatchBuilder {
 public:
  explicit BatchBuilder(Log& log) : log_(log) {}

  // After opening: nothing is under way, nothing is remembered.
  void attach(const RocksDb* db, Mark mark);
  // True when `work` looks at rows that this batch changes: it belongs into the next one.
  bool needs_next_batch(const Work& work) const;
  // Writes the rows of `work` into the batch. An error: nothing of it is in the batch.
  Status add(const Work& work);
  // Whole messages that must not exist, and all that is under way: at reopening.
  Status erase_if_there(QueueId id);
  Status erase_open();

  rocksdb::WriteBatch& finish();  // with the mark row of the next group
  void clear();                   // for the next batch
  bool needs_sync() const { return needs_sync_; }
  bool empty() const { return batch_.Count() == 0; }
  const Mark& mark() const { return mark_; }
  void see(QueueId id) { mark_.highest = std::max(mark_.highest, id); }

  std::uint64_t erased_octets() const { return erased_octets_; }  // since the start
  std::uint64_t erased_messages() const { return erased_messages_; }

 private:
  struct Stream {  // chunks of one body generation after the other
    std::uint32_t generation = 0, chunks = 0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> abandoned;  // generation, chunks
    std::uint32_t chunks_of(std::uint32_t generation) const;         // 0: none of it
  };

  Status add_one(const Accept& accept);
  Status add_one(const PutChunk& chunk);
  Status add_one(const Discard& discard);
  Status add_one(const Outcome& outcome);
  Status add_one(const Remove& remove);
  Status add_one(const Intern& intern);
  Status add_one(const Note& note);
  Status add_one(const Sweep&) { return erase_open(); }
  Status add_one(const SetAside& aside);

  Status check_stream(const Accept& accept) const;
  void put_chunk(QueueId id, std::uint32_t generation, std::uint32_t n, std::string_view bytes);
  void end_stream(const Message& message);
  Status must_exist(QueueId id);
  Status erase(QueueId id);
  Status erase_by_reading(QueueId id);
  void erase_chunks(QueueId id, std::uint32_t generation, std::uint32_t chunks);
  Status erase_prefix(Family family, QueueId id);
  void put(Family family, std::string_view key, std::string_view value) {
    batch_.Put(db_->family(family), slice(key), slice(value));
  }
  void single_delete(Family family, std::string_view key) { batch_.SingleDelete(db_->family(family), slice(key)); }
  void remove(Family family, std::string_view key) { batch_.Delete(db_->family(family), slice(key)); }

  Log& log_;
  const RocksDb* db_ = nullptr;
  rocksdb::WriteBatch batch_;
  Mark mark_;
  bool needs_sync_ = false;
  RecentMessages recent_;
  std::unordered_map<QueueId, Stream> streams_;
  std::unordered_set<QueueId> changed_;  // in this batch
  std::uint64_t erased_octets_ = 0, erased_messages_ = 0;
};

}  // namespace sidegate::queue
