// The options of RocksDB that carry the promises. The table with the reasons: doc/queue.md, "Options of RocksDB".
#pragma once

#include <rocksdb/options.h>

#include <memory>

#include "queue/codec.h"
#include "queue/settings.h"

namespace sidegate::queue {

// One memory budget for write buffers and block cache.
struct MemoryBudget {
  explicit MemoryBudget(std::uint64_t bytes);
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> buffers;
};

rocksdb::DBOptions db_options(const StoreSettings& settings, const MemoryBudget& budget);
rocksdb::ColumnFamilyOptions family_options(Family family, const MemoryBudget& budget);
rocksdb::WriteOptions unsynced_write();
rocksdb::WriteOptions committing_write(const StoreSettings& settings);  // synced, but for the tests' negative control

}  // namespace sidegate::queue
