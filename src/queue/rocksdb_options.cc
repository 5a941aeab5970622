#include "queue/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

namespace sidegate::queue {
namespace {

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;

std::size_t write_buffer(Family family) {
  switch (family) {
    case Family::kBody:
      return 16 * kMiB;
    case Family::kEnvelope:
    case Family::kHeader:
      return 8 * kMiB;
    default:
      return 4 * kMiB;
  }
}

bool has_id_prefix(Family family) {
  return family == Family::kRecipient || family == Family::kAttempt || family == Family::kDue ||
         family == Family::kBody;
}

}  // namespace

MemoryBudget::MemoryBudget(std::uint64_t bytes) {
  rocksdb::LRUCacheOptions options;
  options.capacity = bytes;
  options.num_shard_bits = 2;
  options.strict_capacity_limit = false;  // a full cache must not fail a read
  cache = rocksdb::NewLRUCache(options);
  buffers = std::make_shared<rocksdb::WriteBufferManager>(bytes / 2, cache);
}

rocksdb::DBOptions db_options(const StoreSettings& settings, const MemoryBudget& budget) {
  rocksdb::DBOptions o;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  // What carries the promises.
  o.paranoid_checks = true;
  o.manual_wal_flush = false;
  o.track_and_verify_wals_in_manifest = true;
  o.recycle_log_file_num = 0;
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  o.avoid_flush_during_recovery = false;
  o.avoid_flush_during_shutdown = false;
  o.max_bgerror_resume_count = 0;
  // Bounds.
  o.max_total_wal_size = settings.max_wal;
  o.wal_bytes_per_sync = 512 * kKiB;
  o.bytes_per_sync = kMiB;
  o.write_buffer_manager = budget.buffers;
  o.max_background_jobs = 2;
  o.max_open_files = 256;
  o.max_file_opening_threads = 1;
  o.keep_log_file_num = 2;
  o.max_log_file_size = kMiB;
  o.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  o.skip_stats_update_on_db_open = true;
  // One writer: nothing to pay for hand-offs between writers.
  o.enable_pipelined_write = false;
  o.unordered_write = false;
  o.allow_concurrent_memtable_write = false;
  o.enforce_single_del_contracts = false;
  return o;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const MemoryBudget& budget) {
  rocksdb::ColumnFamilyOptions o;
  o.write_buffer_size = write_buffer(family);
  o.arena_block_size = 64 * kKiB;
  o.max_write_buffer_number = 2;
  o.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = budget.cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  if (has_id_prefix(family)) o.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(8));
  if (family == Family::kBody || family == Family::kHeader) {
    o.enable_blob_files = true;
    o.min_blob_size = kKiB;
    o.blob_file_size = 64 * kMiB;
    o.enable_blob_garbage_collection = true;
    o.blob_garbage_collection_age_cutoff = 1.0;
    o.blob_garbage_collection_force_threshold = 0.5;
  }
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return o;
}

rocksdb::WriteOptions unsynced_write() {
  rocksdb::WriteOptions o;
  o.sync = false;
  o.disableWAL = false;
  return o;
}

rocksdb::WriteOptions committing_write(const StoreSettings& settings) {
  rocksdb::WriteOptions o = unsynced_write();
  o.sync = settings.sync;
  return o;
}

}  // namespace sidegate::queue
