// One opened RocksDB with its column families, and the place where readers find the one that is open now.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <memory>
#include <shared_mutex>

#include "base/log.h"
#include "base/result.h"
#include "queue/codec.h"
#include "queue/rocksdb_options.h"

namespace sidegate::queue {

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

// kNotFound, kNoSpace, kConflict (another process has it open) or kStorage; "WHAT: RocksDB's words".
Error rocksdb_error(const rocksdb::Status& status, std::string_view what);

// Told when a flush or compaction failed; called on RocksDB's threads.
using BackgroundError = std::function<void(Error)>;

class RocksDb {
 public:
  // Opens or makes the database at settings.path and checks its format.
  static Result<std::unique_ptr<RocksDb>> open(const StoreSettings& settings, const MemoryBudget& budget,
                                               BackgroundError background_error, Log& log);
  // Reads what is there without taking the lock or writing anything.
  static Result<std::unique_ptr<RocksDb>> open_readonly(const StoreSettings& settings, const MemoryBudget& budget);
  ~RocksDb();  // closes; makes no sync
  RocksDb(const RocksDb&) = delete;

  rocksdb::DB* operator->() const { return db_; }
  rocksdb::ColumnFamilyHandle* family(Family f) const { return families_[static_cast<std::size_t>(f)]; }

  // The raw value, or kNotFound.
  Result<std::string> get(Family f, std::string_view key) const;
  // Calls fn(key, value) for each row whose key begins with `prefix`; fn returns false to stop.
  template <typename Fn>
  Status each(Family f, std::string_view prefix, Fn fn) const {
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(scan_options(prefix), family(f)));
    for (it->Seek(slice(prefix)); it->Valid() && it->key().starts_with(slice(prefix)); it->Next()) {
      if (!fn(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return std::unexpected(rocksdb_error(it->status(), name(f)));
    return {};
  }
  static rocksdb::ReadOptions scan_options(std::string_view prefix);

 private:
  RocksDb() = default;
  Status take(const rocksdb::Status& status, const StoreSettings& settings,
              std::vector<rocksdb::ColumnFamilyHandle*> handles);
  Status check_format(bool may_write);

  rocksdb::DB* db_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families_{};
};

// Readers share it; reopening waits for them and takes it away for a while.
class RocksDbPlace {
 public:
  class Use {  // keeps the database open while it lives
   public:
    explicit operator bool() const { return db_ != nullptr; }
    const RocksDb& operator*() const { return *db_; }
    const RocksDb* operator->() const { return db_; }

   private:
    friend class RocksDbPlace;
    std::shared_lock<std::shared_mutex> lock_;
    const RocksDb* db_ = nullptr;
  };

  Use use() const {
    Use use;
    use.lock_ = std::shared_lock(mutex_);
    if (!hidden_) use.db_ = db_.get();
    return use;
  }
  // Readers find nothing from here on, until the next put(): a write has failed and what it left must not be seen.
  void hide() { hidden_ = true; }
  void put(std::unique_ptr<RocksDb> db) {
    std::unique_lock lock(mutex_);
    db_ = std::move(db);
    hidden_ = false;
  }
  // For the one writer, which is also the one who puts: no lock needed to look.
  const RocksDb* writer_view() const { return db_.get(); }

 private:
  mutable std::shared_mutex mutex_;
  std::unique_ptr<RocksDb> db_;
  std::atomic<bool> hidden_{false};
};

}  // namespace sidegate::queue
