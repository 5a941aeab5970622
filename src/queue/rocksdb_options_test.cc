// The options in effect, and those that RocksDB wrote down, against the table of doc/queue.md: some options of RocksDB
// are changed silently when they do not go together.
#include <gtest/gtest.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/options_util.h>
#include <rocksdb/write_buffer_manager.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "queue/rocksdb_store_impl.h"
#include "queue/test_stores.h"

namespace sidegate::queue::rocksdb_options_test {
namespace {

void expect_db(const rocksdb::DBOptions& o, const StoreSettings& settings) {
  EXPECT_TRUE(o.paranoid_checks);
  EXPECT_FALSE(o.manual_wal_flush);
  EXPECT_TRUE(o.track_and_verify_wals_in_manifest);
  EXPECT_EQ(o.recycle_log_file_num, 0u);
  EXPECT_EQ(o.wal_recovery_mode, rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  EXPECT_FALSE(o.avoid_flush_during_recovery);
  EXPECT_FALSE(o.avoid_flush_during_shutdown);
  EXPECT_EQ(o.max_bgerror_resume_count, 0);
  EXPECT_EQ(o.max_total_wal_size, settings.max_wal);
  EXPECT_EQ(o.wal_bytes_per_sync, 512u << 10);
  EXPECT_EQ(o.bytes_per_sync, 1u << 20);
  EXPECT_FALSE(o.enable_pipelined_write);
  EXPECT_FALSE(o.unordered_write);
  EXPECT_FALSE(o.two_write_queues);
  EXPECT_FALSE(o.allow_concurrent_memtable_write);
  EXPECT_FALSE(o.enforce_single_del_contracts);
  EXPECT_EQ(o.db_write_buffer_size, 0u);
  EXPECT_EQ(o.max_background_jobs, 2);
  EXPECT_EQ(o.max_open_files, 256);
  EXPECT_EQ(o.max_file_opening_threads, 1);
  EXPECT_EQ(o.keep_log_file_num, 2u);
  EXPECT_EQ(o.max_log_file_size, 1u << 20);
  EXPECT_EQ(o.stats_dump_period_sec, 0u);
  EXPECT_EQ(o.stats_persist_period_sec, 0u);
  EXPECT_TRUE(o.skip_stats_update_on_db_open);
  EXPECT_EQ(o.wal_dir.empty() ? settings.path : o.wal_dir, settings.path);  // beside the data: one sync domain
  EXPECT_FALSE(o.allow_mmap_writes);
}

void expect_family(Family family, const rocksdb::ColumnFamilyOptions& o) {
  SCOPED_TRACE(name(family));
  const bool blobs = family == Family::kBody || family == Family::kHeader;
  const bool by_id =
      family == Family::kRecipient || family == Family::kAttempt || family == Family::kDue || family == Family::kBody;
  EXPECT_EQ(o.compression, rocksdb::kNoCompression);
  EXPECT_EQ(o.arena_block_size, 64u << 10);
  EXPECT_EQ(o.max_write_buffer_number, 2);
  std::size_t megabytes = family == Family::kBody                                    ? 16
                          : family == Family::kEnvelope || family == Family::kHeader ? 8
                                                                                     : 4;
  EXPECT_EQ(o.write_buffer_size, megabytes << 20);
  EXPECT_EQ(o.enable_blob_files, blobs);
  if (blobs) {
    EXPECT_EQ(o.min_blob_size, 1024u);
    EXPECT_EQ(o.blob_file_size, 64u << 20);
    EXPECT_TRUE(o.enable_blob_garbage_collection);
    EXPECT_EQ(o.blob_garbage_collection_age_cutoff, 1.0);
    EXPECT_EQ(o.blob_garbage_collection_force_threshold, 0.5);
  }
  ASSERT_EQ(o.prefix_extractor != nullptr, by_id);
  if (by_id) EXPECT_EQ(o.prefix_extractor->AsString(), "rocksdb.FixedPrefix.8");
  EXPECT_EQ(o.merge_operator, nullptr);
  EXPECT_EQ(o.compaction_filter, nullptr);
  EXPECT_FALSE(o.inplace_update_support);
}

class OptionsInEffect : public ::testing::Test {
 protected:
  void SetUp() override {
    settings_ = test_settings(directory_.path() + "/queue");
    store_ = std::make_unique<RocksDbStore>(settings_, clock_, null_log());
    ASSERT_TRUE(store_->start());
  }
  TemporaryDirectory directory_;
  StoreSettings settings_;
  ManualClock clock_;
  std::unique_ptr<RocksDbStore> store_;
};

TEST_F(OptionsInEffect, AreThoseOfTheDocument) {
  auto db = store_->place().use();
  ASSERT_TRUE(db);
  rocksdb::DBOptions options = (*db)->GetDBOptions();
  expect_db(options, settings_);
  ASSERT_TRUE(options.write_buffer_manager);
  EXPECT_EQ(options.write_buffer_manager->buffer_size(), settings_.memory / 2);
  EXPECT_TRUE(options.write_buffer_manager->cost_to_cache());  // one budget
  for (std::size_t i = 0; i < kFamilies; ++i) {
    auto family = static_cast<Family>(i);
    auto effective = (*db)->GetOptions(db->family(family));
    expect_family(family, effective);
    const auto* table = effective.table_factory->GetOptions<rocksdb::BlockBasedTableOptions>();
    ASSERT_TRUE(table);
    ASSERT_TRUE(table->block_cache);
    EXPECT_EQ(table->block_cache->GetCapacity(), settings_.memory);
    EXPECT_TRUE(table->cache_index_and_filter_blocks);
    EXPECT_TRUE(table->filter_policy);
    EXPECT_FALSE(table->no_block_cache);
  }
}

TEST_F(OptionsInEffect, AreThoseOfTheOptionsFile) {
  store_.reset();
  rocksdb::ConfigOptions how;
  rocksdb::DBOptions options;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  auto status = rocksdb::LoadLatestOptions(how, settings_.path, &options, &families);
  ASSERT_TRUE(status.ok()) << status.ToString();
  expect_db(options, settings_);
  ASSERT_EQ(families.size(), kFamilies);
  for (std::size_t i = 0; i < kFamilies; ++i) {
    auto family = static_cast<Family>(i);
    auto found = std::ranges::find(families, name(family), &rocksdb::ColumnFamilyDescriptor::name);
    ASSERT_NE(found, families.end());
    expect_family(family, found->options);
  }
}

TEST(WriteOptions, CommittingWritesAreSynced) {
  StoreSettings settings;
  EXPECT_TRUE(settings.sync);
  EXPECT_TRUE(committing_write(settings).sync);
  EXPECT_FALSE(committing_write(settings).disableWAL);
  EXPECT_FALSE(unsynced_write().sync);
  EXPECT_FALSE(unsynced_write().disableWAL);
}

// The table of doc/queue.md names every option that we set: the document is part of the promise.
TEST(WriteOptions, TheDocumentNamesThem) {
  auto root = std::filesystem::current_path();  // somewhere below the source tree
  for (int i = 0; i < 10 && !std::filesystem::exists(root / "doc/queue.md"); ++i) root = root.parent_path();
  std::ifstream file(root / "doc/queue.md");
  if (!file) GTEST_SKIP() << "skipped: not run below the source tree";
  std::stringstream text;
  text << file.rdbuf();
  for (const char* option :
       {"WriteOptions.sync", "disableWAL", "manual_wal_flush", "paranoid_checks", "track_and_verify_wals_in_manifest",
        "recycle_log_file_num", "wal_recovery_mode", "avoid_flush_during_recovery", "avoid_flush_during_shutdown",
        "max_bgerror_resume_count", "max_total_wal_size", "wal_bytes_per_sync", "enable_pipelined_write",
        "enforce_single_del_contracts", "max_background_jobs", "max_open_files", "skip_stats_update_on_db_open"}) {
    EXPECT_NE(text.str().find(option), std::string::npos) << option;
  }
}

}  // namespace
}  // namespace sidegate::queue::rocksdb_options_test
