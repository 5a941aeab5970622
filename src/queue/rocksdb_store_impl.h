// The class behind open_rocksdb_store(), for its own tests and benchmarks.
#pragma once

#include "queue/commit_thread.h"
#include "queue/housekeeper.h"
#include "queue/rocksdb_reader.h"
#include "queue/rocksdb_store.h"

namespace sidegate::queue {

class RocksDbStore final : public Store {
 public:
  RocksDbStore(const StoreSettings& settings, Clock& clock, Log& log);
  ~RocksDbStore() override;
  Status start();

  void commit(Change change, Done done) override { commit_.commit(to_work(std::move(change)), std::move(done)); }
  Result<ClaimPage> claim(std::size_t n, WallTime until) override;
  Status renew(const std::vector<DueRow>&, WallTime) override { return {}; }  // ours for ever
  Result<std::vector<ClassRow>> classes() override { return reader_.classes(); }
  Result<std::vector<Note>> notes(const std::string& prefix) override { return reader_.notes(prefix); }
  Result<Message> message(QueueId id) override { return reader_.message(id); }
  Result<std::vector<RecipientRow>> recipients(QueueId id) override { return reader_.recipients(id); }
  Result<std::string> header(QueueId id) override { return reader_.header(id); }
  Result<std::string> body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) override {
    return reader_.body_chunk(id, generation, n);
  }
  Result<std::vector<AttemptRow>> attempts(QueueId id) override { return reader_.attempts(id); }
  Result<std::vector<ListRow>> find(const Filter& filter, QueueId after, std::size_t n) override {
    return reader_.find(filter, after, n);
  }
  Result<StrayPage> strays(QueueId after, std::size_t n) override {
    return reader_.strays(after, commit_.highest_at_start(), n);
  }
  QueueId highest_id() override { return commit_.highest(); }
  StoreState state() const override;
  Status may_accept(std::uint64_t size) const override;

  Housekeeper& housekeeper() { return housekeeper_; }
  const RocksDbPlace& place() const { return place_; }

 private:
  const StoreSettings settings_;
  Log& log_;
  MemoryBudget budget_;
  RocksDbPlace place_;
  Housekeeper housekeeper_;
  CommitThread commit_;
  RocksDbReader reader_;
  std::mutex claim_mutex_;
  std::string claim_cursor_;
};

}  // namespace sidegate::queue
