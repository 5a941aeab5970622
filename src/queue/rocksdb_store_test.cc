// What only the store on RocksDB promises: space, damage, reading beside it, opening.
#include "queue/rocksdb_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "queue/rocksdb_store_impl.h"
#include "queue/test_stores.h"

namespace sidegate::queue::rocksdb_store_test {
namespace {

std::uint64_t octets_on_disk(const std::string& path) {
  std::uint64_t sum = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) sum += entry.file_size(gone);
  }
  return sum;
}

class RocksDbStoreTest : public ::testing::Test {
 protected:
  void open() {
    store_.reset();
    store_ = std::make_unique<RocksDbStore>(settings_, clock_, null_log());
    auto started = store_->start();
    ASSERT_TRUE(started) << started.error().text;
  }
  Status commit(Change change) { return commit_and_wait(*store_, std::move(change)); }

  TemporaryDirectory directory_;
  StoreSettings settings_ = test_settings(directory_.path() + "/queue");
  ManualClock clock_;
  std::unique_ptr<RocksDbStore> store_;
};

TEST(Tidy, WhenIdleOrWhenItPays) {
  using std::chrono::seconds;
  const std::uint64_t mb = 1 << 20;
  SteadyTime now{seconds(1000)};
  struct Case {
    TidyState state;
    bool expected;
  };
  for (const auto& [state, expected] : {Case{{now - seconds(60), 0, 0, 500 * mb}, false},  // nothing was deleted
                                        Case{{now - seconds(10), 1, 10, 500 * mb}, true},  // idle
                                        Case{{now - seconds(9), 1, 10, 500 * mb}, false},  // busy
                                        Case{{now, 5000, 300 * mb, 500 * mb}, true},       // most of it is gone
                                        Case{{now, 5000, 100 * mb, 500 * mb}, false},      // little of it
                                        Case{{now, 5000, 300 * mb, 1 * mb}, false}}) {     // it never reached a table
    EXPECT_EQ(should_tidy(state, now), expected);
  }
}

TEST_F(RocksDbStoreTest, SpaceIsGivenBack) {
  open();
  Answers accepted;
  const std::uint64_t n = 600;
  for (std::uint64_t id = 1; id <= n; ++id) {
    store_->commit(sample({.id = id, .body = std::string(kChunkSize, static_cast<char>('a' + id % 26))}),
                   accepted.next());
    if (id % 50 == 0) accepted.wait();
  }
  for (const auto& status : accepted.wait()) ASSERT_TRUE(status);
  EXPECT_GT(octets_on_disk(settings_.path), 100u << 20);
  Answers removed;
  for (std::uint64_t id = 2; id <= n; ++id) store_->commit(finished(id), removed.next());
  for (const auto& status : removed.wait()) ASSERT_TRUE(status);
  store_->housekeeper().tick();
  clock_.advance(std::chrono::seconds(11));
  store_->housekeeper().tick();
  // RocksDB removes files beside us: bounded, and done long before.
  std::uint64_t left = 0;
  for (int i = 0; i < 1200; ++i) {
    left = octets_on_disk(settings_.path);
    if (left < (8u << 20)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LT(left, 8u << 20);
  auto body = store_->body_chunk(sample_id(1), 0, 0);
  ASSERT_TRUE(body);
  EXPECT_EQ(*body, std::string(kChunkSize, 'b'));
}

TEST_F(RocksDbStoreTest, DamagedRowIsSetAsideAndBlocksNothing) {
  open();
  for (std::uint64_t id = 1; id <= 6; ++id) ASSERT_TRUE(commit(sample({.id = id})));
  store_.reset();
  {
    MemoryBudget budget(settings_.memory);
    auto db = RocksDb::open(settings_, budget, nullptr, null_log());
    ASSERT_TRUE(db);
    auto damage = [&](Family family, const std::string& key) {
      auto value = (*db)->get(family, key);
      ASSERT_TRUE(value);
      (*value)[0] = static_cast<char>((*value)[0] ^ 1);
      rocksdb::WriteBatch batch;
      batch.SingleDelete((**db).family(family), key);
      batch.Put((**db).family(family), key, *value);
      ASSERT_TRUE((**db)->Write(unsynced_write(), &batch).ok());
    };
    damage(Family::kEnvelope, id_key(sample_id(1)));
    damage(Family::kHeader, id_key(sample_id(2)));
    damage(Family::kBody, body_key(sample_id(3), 0, 0));
    damage(Family::kDue, pair_key(sample_id(4), 1));
  }
  open();
  auto page = store_->claim(100, {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->rows.size(), 5u);  // without 4
  EXPECT_EQ(store_->message(sample_id(1)).error().kind, ErrorKind::kStorage);
  EXPECT_EQ(store_->header(sample_id(2)).error().kind, ErrorKind::kStorage);
  EXPECT_EQ(store_->body_chunk(sample_id(3), 0, 0).error().kind, ErrorKind::kStorage);
  ASSERT_TRUE(commit(sample({.id = 7})));  // behind the setting aside
  auto found = store_->find({}, {}, 100);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 3u);  // 5, 6, 7
  for (std::uint64_t id : {1, 2, 3, 4})
    EXPECT_EQ(store_->message(sample_id(id)).error().kind, ErrorKind::kNotFound) << id;
  for (std::uint64_t id : {5, 6, 7}) EXPECT_TRUE(store_->message(sample_id(id))) << id;
  auto db = store_->place().use();
  std::size_t bad = 0;
  ASSERT_TRUE(db->each(Family::kBad, "", [&](std::string_view, std::string_view) { return ++bad < 1000; }));
  EXPECT_EQ(bad, 16u);  // four messages of envelope, header, body, due
}

TEST_F(RocksDbStoreTest, OneProcessAtATime) {
  open();
  auto second = open_rocksdb_store(settings_, clock_, null_log());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict) << second.error().text;
}

TEST_F(RocksDbStoreTest, AnotherFormatIsRefused) {
  open();
  store_.reset();
  {
    MemoryBudget budget(settings_.memory);
    auto db = RocksDb::open(settings_, budget, nullptr, null_log());
    ASSERT_TRUE(db);
    ASSERT_TRUE(
        (**db)
            ->Put(unsynced_write(), (**db).family(Family::kMeta), slice(kFormatKey), encode_format(kFormatKey, 2))
            .ok());
  }
  auto store = open_rocksdb_store(settings_, clock_, null_log());
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().text.find("format 2"), std::string::npos) << store.error().text;
}

TEST_F(RocksDbStoreTest, ReadOnlyBesideNobody) {
  EXPECT_FALSE(open_rocksdb_readonly(directory_.path() + "/none"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() + "/none"));
  open();
  ASSERT_TRUE(commit(sample({.id = 1})));
  store_.reset();
  auto reader = open_rocksdb_readonly(settings_.path);
  ASSERT_TRUE(reader) << reader.error().text;
  auto found = (*reader)->find({}, {}, 10);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 1u);
  EXPECT_EQ(*(*reader)->header(sample_id(1)), "Subject: x\r\n");
  EXPECT_EQ(commit_and_wait(**reader, Remove{sample_id(1)}).error().kind, ErrorKind::kConflict);
  EXPECT_EQ((*reader)->claim(1, {}).error().kind, ErrorKind::kConflict);
  reader->reset();
  open();  // nothing was changed
  EXPECT_TRUE(store_->message(sample_id(1)));
}

TEST_F(RocksDbStoreTest, LowSpaceIsSaid) {
  settings_.min_free_space = UINT64_MAX / 2;
  open();
  EXPECT_EQ(store_->state(), StoreState::kLowSpace);
  EXPECT_EQ(store_->may_accept(1).error().kind, ErrorKind::kNoSpace);
  EXPECT_TRUE(commit(sample({.id = 1})));  // who was let in is served
  EXPECT_TRUE(commit(finished(1)));
}

TEST_F(RocksDbStoreTest, BallastIsMadeWhenThereIsRoom) {
  settings_.ballast = 1 << 20;
  open();
  EXPECT_EQ(std::filesystem::file_size(settings_.path + "/ballast"), 1u << 20);
  store_->housekeeper().drop_ballast();
  EXPECT_FALSE(std::filesystem::exists(settings_.path + "/ballast"));
  store_->housekeeper().tick();
  EXPECT_TRUE(std::filesystem::exists(settings_.path + "/ballast"));
}

TEST_F(RocksDbStoreTest, ClaimRunsBesideAccepting) {
  open();
  for (std::uint64_t id = 1; id <= 10; ++id) ASSERT_TRUE(commit(sample({.id = id})));
  open();
  auto first = store_->claim(4, {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->rows.size(), 4u);
  EXPECT_FALSE(first->end);
  ASSERT_TRUE(commit(sample({.id = 11})));  // its due row goes to the scheduler with its answer
  auto rest = store_->claim(100, {});
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->rows.size(), 6u);
  EXPECT_TRUE(rest->end);
}

TEST_F(RocksDbStoreTest, UnusedClassesGoAtStartUp) {
  open();
  ASSERT_TRUE(commit(Intern{{{1, {"a", "", "", ""}}, {2, {"b", "", "", ""}}, {3, {"c", "", "", ""}}}}));
  ASSERT_TRUE(commit(sample({.id = 1})));  // class 1
  open();
  auto classes = store_->classes();
  ASSERT_TRUE(classes);
  ASSERT_EQ(classes->size(), 2u);
  EXPECT_EQ(classes->front().id, 1u);
  EXPECT_EQ(classes->back().id, 3u);  // the newest: its number must not be given again
}

TEST_F(RocksDbStoreTest, EmptyStoreLeavesLittleOnDisk) {
  open();
  ASSERT_TRUE(commit(sample({.id = 1})));
  EXPECT_LT(octets_on_disk(settings_.path), 1u << 20);
  EXPECT_FALSE(std::filesystem::exists(settings_.path + "/LOG"));
}

}  // namespace
}  // namespace sidegate::queue::rocksdb_store_test
