// The store when file-system calls fail or stall. Runs with the shim preloaded (ctest does that).
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <future>
#include <thread>

#include "fault_control.h"
#include "queue/rocksdb_store.h"

namespace sidegate::queue {
namespace {

using tests::FaultControl;
using namespace std::chrono_literals;

FaultControl& faults() {
  static FaultControl control(::getenv("FAULT_CONTROL"), "/");
  return control;
}

class FaultyStore : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!::getenv("FAULT_CONTROL")) GTEST_SKIP() << "skipped: run by ctest with the fault shim preloaded";
    std::string pattern = (std::filesystem::temp_directory_path() / "sidegate-fault-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    faults().clear();
    faults()->syncs_after_failure = 0;
    std::strncpy(faults()->prefix, directory_.c_str(), sizeof faults()->prefix - 1);
    settings_.path = directory_ + "/queue";
    settings_.ballast = 0;
    settings_.min_free_space = 0;
    open();
    if (faults()->syncs == 0) GTEST_SKIP() << "skipped: the fault shim is not preloaded";
  }
  void TearDown() override {
    if (directory_.empty()) return;
    faults().clear();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    store_.reset();
    auto store = open_rocksdb_store(settings_, clock_, null_log());
    ASSERT_TRUE(store) << store.error().text;
    store_ = std::move(*store);
  }

  static Accept message(std::uint64_t n) {
    Accept accept;
    auto message = std::make_shared<Message>();
    message->id = QueueId{(1'700'000'000'000ull << 22) + n};
    message->envelope.reverse_path = "s@example.org";
    message->classes = {1};
    accept.header = "Subject: x\r\n";
    accept.body = "\r\nbody " + std::to_string(n);
    accept.due.emplace_back().id = message->id;
    accept.due.back().class_id = 1;
    accept.message = std::move(message);
    return accept;
  }
  static QueueId id(std::uint64_t n) { return message(n).message->id; }

  std::future<Status> begin(Change change) {
    auto answer = std::make_shared<std::promise<Status>>();
    auto got = answer->get_future();
    store_->commit(std::move(change), [answer](Status status) { answer->set_value(std::move(status)); });
    return got;
  }
  Status commit(Change change) {
    auto answer = begin(std::move(change));
    if (answer.wait_for(30s) != std::future_status::ready) return fail(ErrorKind::kTimeout, "no callback");
    return answer.get();
  }
  static Outcome finished(std::uint64_t n) {
    Outcome outcome;
    outcome.id = id(n);
    outcome.finished = true;
    return outcome;
  }
  bool open_again() {  // service returns by itself
    for (int i = 0; i < 1000; ++i) {
      if (store_->state() == StoreState::kOpen) return true;
      std::this_thread::sleep_for(20ms);
    }
    return false;
  }

  std::string directory_;
  StoreSettings settings_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(FaultyStore, FailedSyncIsAnsweredReopenedAndNothingRefusedSurvives) {
  for (int error : {EIO, ENOSPC}) {
    SCOPED_TRACE(error);
    const std::uint64_t base = error * 100;
    ASSERT_TRUE(commit(message(base + 1)));
    faults()->count = 1;
    faults()->sync_errno = error;
    auto refused = commit(message(base + 2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, error == EIO ? ErrorKind::kStorage : ErrorKind::kNoSpace);
    ASSERT_TRUE(open_again());
    EXPECT_TRUE(store_->message(id(base + 1)));
    EXPECT_EQ(store_->message(id(base + 2)).error().kind, ErrorKind::kNotFound);
    ASSERT_TRUE(commit(message(base + 3)));
    open();
    EXPECT_TRUE(store_->message(id(base + 1)));
    EXPECT_FALSE(store_->message(id(base + 2)));
    EXPECT_TRUE(store_->message(id(base + 3)));
  }
  EXPECT_EQ(faults()->syncs_after_failure, 0);  // never a second fsync on the same file
}

TEST_F(FaultyStore, FailedWriteIsAnsweredAndServiceReturns) {
  for (int error : {EIO, ENOSPC}) {
    const std::uint64_t base = error * 100;
    ASSERT_TRUE(commit(message(base + 1)));
    faults()->count = 1;
    faults()->write_errno = error;
    auto refused = commit(message(base + 2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, error == EIO ? ErrorKind::kStorage : ErrorKind::kNoSpace);
    ASSERT_TRUE(open_again());
    EXPECT_TRUE(store_->header(id(base + 1)));
    EXPECT_FALSE(store_->message(id(base + 2)));
    EXPECT_TRUE(commit(message(base + 3)));
  }
}

TEST_F(FaultyStore, ServiceReturnsWhenWritesWorkAgain) {
  for (int error : {EIO, ENOSPC}) {
    const std::uint64_t base = error * 100;
    ASSERT_TRUE(commit(message(base + 1)));
    faults()->write_errno = error;
    for (std::uint64_t n = 2; n < 5; ++n) ASSERT_FALSE(commit(message(base + n)));
    std::this_thread::sleep_for(500ms);  // it tries to reopen meanwhile
    EXPECT_EQ(store_->state(), StoreState::kReopening);
    faults().clear();
    ASSERT_TRUE(open_again());
    EXPECT_TRUE(store_->header(id(base + 1)));
    for (std::uint64_t n = 2; n < 5; ++n) EXPECT_FALSE(store_->message(id(base + n)));
    EXPECT_TRUE(commit(message(base + 5)));
  }
}

TEST_F(FaultyStore, OutcomesWaitWhileTheDiskFails) {
  for (std::uint64_t n = 1; n <= 3; ++n) ASSERT_TRUE(commit(message(n)));
  ASSERT_TRUE(commit(finished(1)));  // unsynced when the next sync fails
  faults()->sync_errno = EIO;        // until told otherwise: reopening fails too
  ASSERT_FALSE(commit(message(4)));
  EXPECT_EQ(store_->state(), StoreState::kReopening);
  EXPECT_FALSE(store_->may_accept(1));
  EXPECT_FALSE(store_->claim(10, {}));
  auto outcome = begin(finished(2));
  auto refused = commit(message(5));  // at once
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kStorage);
  EXPECT_EQ(outcome.wait_for(300ms), std::future_status::timeout);
  faults().clear();
  ASSERT_EQ(outcome.wait_for(30s), std::future_status::ready);
  EXPECT_TRUE(outcome.get());
  ASSERT_TRUE(open_again());
  for (std::uint64_t n : {1, 2, 4, 5}) EXPECT_FALSE(store_->message(id(n))) << n;
  EXPECT_TRUE(store_->message(id(3)));
  EXPECT_EQ(faults()->syncs_after_failure, 0);
}

TEST_F(FaultyStore, StreamUnderWayDiesWithTheStore) {
  ASSERT_TRUE(commit(PutChunk{id(1), 0, 0, std::string(kChunkSize, 'x')}));
  faults()->count = 1;
  faults()->sync_errno = EIO;
  ASSERT_FALSE(commit(message(2)));
  ASSERT_TRUE(open_again());
  Accept rest = message(1);
  rest.first_chunk = 1;
  auto refused = commit(std::move(rest));  // its first chunk may be gone
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kStorage);
  EXPECT_TRUE(commit(message(3)));
  EXPECT_FALSE(store_->body_chunk(id(1), 0, 0));
}

TEST_F(FaultyStore, FailedIdleSyncLosesNoOutcome) {
  ASSERT_TRUE(commit(message(1)));
  faults()->count = 1;
  faults()->sync_errno = EIO;
  ASSERT_TRUE(commit(finished(1)));  // synced 1 s later, which fails
  for (int i = 0; i < 500 && faults()->sync_errno != 0; ++i) std::this_thread::sleep_for(20ms);
  EXPECT_EQ(faults()->sync_errno, 0);
  ASSERT_TRUE(commit(Remove{id(1)}).error().kind == ErrorKind::kNotFound);
  ASSERT_TRUE(open_again());
  open();
  EXPECT_FALSE(store_->message(id(1)));
}

TEST_F(FaultyStore, StalledCommitIsRefusedOnceAndDeleted) {
  store_.reset();
  settings_.stall_limit = 200ms;
  open();
  ASSERT_TRUE(commit(message(1)));
  faults()->sync_stall_ms = 1500;
  auto in_hand = begin(message(2));
  for (int i = 0; i < 200 && faults()->syncs == 0; ++i) std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(50ms);
  auto waiting = begin(message(3));
  clock_.advance(250ms);
  ASSERT_EQ(in_hand.wait_for(1s), std::future_status::ready);  // before the disk is back
  EXPECT_EQ(in_hand.get().error().kind, ErrorKind::kOverload);
  ASSERT_EQ(waiting.wait_for(1s), std::future_status::ready);
  EXPECT_EQ(waiting.get().error().kind, ErrorKind::kOverload);
  faults().clear();
  ASSERT_TRUE(commit(message(4)));
  ASSERT_TRUE(open_again());
  for (std::uint64_t n : {2, 3}) EXPECT_FALSE(store_->message(id(n))) << n;
  for (std::uint64_t n : {1, 4}) EXPECT_TRUE(store_->message(id(n))) << n;
}

TEST_F(FaultyStore, BallastIsGivenUpWhenThereIsNoRoomToOpen) {
  store_.reset();
  settings_.ballast = 1 << 20;
  open();
  ASSERT_TRUE(std::filesystem::exists(settings_.path + "/ballast"));
  ASSERT_TRUE(commit(message(1)));
  store_.reset();
  faults()->count = 1;
  faults()->write_errno = ENOSPC;
  open();
  EXPECT_TRUE(store_->message(id(1)));
  EXPECT_EQ(faults()->write_errno, 0);
}

}  // namespace
}  // namespace sidegate::queue
