// The store in memory, for tests: one cluster holds the rows, several nodes look at it, claims lapse by the clock. It
// shows what the interface promises where a queue is shared; nothing is durable.
#pragma once

#include <map>
#include <mutex>

#include "queue/store.h"

namespace sidegate::queue {

// What the nodes share.
class MemoryCluster {
 public:
  explicit MemoryCluster(Clock& clock) : clock_(clock) {}

 private:
  friend class MemoryStore;
  struct Claim {
    unsigned node = 0;
    std::uint64_t epoch = 0;  // grows with every claim of this row
    WallTime until{};
  };
  struct Entry {
    Message message;
    std::string header;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> body;  // generation, chunk
    std::map<std::uint32_t, RecipientRow> recipients;
    std::map<ClassId, DueRow> due;
    std::map<ClassId, Claim> claims;
    std::vector<AttemptRow> attempts;
  };
  Clock& clock_;
  std::mutex mutex_;
  std::map<QueueId, Entry> messages_;
  std::map<ClassId, ClassKey> classes_;
  std::map<std::string, std::string> notes_;
  std::uint64_t epoch_ = 0;
  QueueId highest_;
};

// One node. Callbacks run on the caller's thread, after the change is made, outside of the lock.
class MemoryStore final : public Store {
 public:
  // A message accepted through a node is claimed by it at once, for `claim_for`.
  MemoryStore(MemoryCluster& cluster, unsigned node, Duration claim_for = std::chrono::minutes(1))
      : cluster_(cluster), node_(node), claim_for_(claim_for) {}

  void commit(Change change, Done done) override;
  Result<ClaimPage> claim(std::size_t n, WallTime until) override;
  Status renew(const std::vector<DueRow>& rows, WallTime until) override;
  Result<std::vector<ClassRow>> classes() override;
  Result<std::vector<Note>> notes(const std::string& prefix) override;
  Result<Message> message(QueueId id) override;
  Result<std::vector<RecipientRow>> recipients(QueueId id) override;
  Result<std::string> header(QueueId id) override;
  Result<std::string> body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) override;
  Result<std::vector<AttemptRow>> attempts(QueueId id) override;
  Result<std::vector<ListRow>> find(const Filter& filter, QueueId after, std::size_t n) override;
  Result<StrayPage> strays(QueueId after, std::size_t n) override;
  QueueId highest_id() override;
  StoreState state() const override { return state_; }
  Status may_accept(std::uint64_t size) const override;

  // For tests of what lies above: every accept from now on is answered with this error, until nullopt.
  void fail_accepts(std::optional<Error> error);

 private:
  using Cluster = MemoryCluster;
  Status apply(Accept& accept);
  Status apply(PutChunk& chunk);
  Status apply(Discard& discard);
  Status apply(Outcome& outcome);
  Status apply(Remove& remove);
  Status apply(Intern& intern);
  Status apply(Note& note);
  struct Stream {                                              // of this node alone: it dies with it
    std::uint32_t generation = 0;                              // the newest
    std::map<std::uint32_t, std::vector<std::string>> bodies;  // chunks by generation
  };
  bool is_mine(const Cluster::Entry& entry, ClassId id, std::uint64_t epoch) const;
  Result<const Cluster::Entry*> entry(QueueId id) const;
  void add(Accept& accept);

  Cluster& cluster_;
  unsigned node_;
  Duration claim_for_;
  std::map<QueueId, Stream> streams_;
  std::optional<Error> accept_error_;
  StoreState state_ = StoreState::kOpen;
};

}  // namespace sidegate::queue
