// The store: where a message is durable. Bodies: RocksDbStore (embedded default), MemoryStore (tests, several nodes).
// doc/queue.md gives every key and state; tests/queue_conformance.h holds every body to the same suite.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "queue/expected.h"
#include "queue/records.h"
#include "queue/settings.h"
#include "queue/strays.h"

namespace sidegate::queue {

// A whole message, or what is left of one whose first chunks went ahead with PutChunk. Durable when done(ok) is called.
struct Accept {
  std::shared_ptr<const Message> message;
  std::string header;
  std::string body;               // from chunk `first_chunk` on
  std::uint32_t first_chunk = 0;  // > 0: PutChunk wrote the ones before
  std::vector<DueRow> due;        // one a class of this message
};
// A chunk of a large body under way: unsynced; the first one writes the `open` row, Accept or Discard removes it.
struct PutChunk {
  QueueId id;
  std::uint32_t generation = 0, n = 0;
  std::string bytes;
};
struct Discard {  // an aborted streamed message
  QueueId id;
};
// What an attempt (or an operator) changed. One atomic write, unsynced: it rides on the next sync, or on one made 1 s
// later (promise 3).
struct Outcome {
  QueueId id;
  std::vector<RecipientRow> recipients;  // rows to write
  std::vector<DueRow> due;               // rows to write (epoch checked: kConflict if the claim has lapsed)
  std::vector<ClassId> due_removed;
  std::optional<AttemptRow> attempt;
  bool finished = false;        // no recipient is left: every row of the message goes
  std::vector<Accept> reports;  // the DSNs this outcome makes: failure and report are one write
};
struct Remove {  // by the operator
  QueueId id;
};
struct Intern {  // new classes; written before or with the first message that uses them
  std::vector<ClassRow> classes;
};
// A row that another room keeps here, opaque to the queue: unsynced, as an outcome. An empty value removes it.
struct Note {
  std::string key;  // "user/taro@example.org": the room's own word, then what it likes
  std::string value;
};
using Change = std::variant<Accept, PutChunk, Discard, Outcome, Remove, Intern, Note>;

// Called once, on the commit thread: be short, post elsewhere. An error means: nothing of this change will ever be seen
// again (kStorage, kNoSpace, kOverload: it took longer than stall_limit), or the claim had lapsed (kConflict).
using Done = std::move_only_function<void(Status)>;

struct ClaimPage {
  std::vector<DueRow> rows;
  bool end = false;  // nothing further now
};

struct StrayPage {
  std::vector<Stray> strays;
  QueueId last;  // where the next page goes on
  bool end = false;
};

struct Filter {          // for `queue list` and what acts on many; empty members do not filter
  std::string to, from;  // substring of an address, case ignored; "@domain" matches its end
};
struct ListRow {
  Message message;
  std::vector<RecipientRow> recipients;
  std::vector<DueRow> due;
};

enum class StoreState : std::uint8_t { kOpen, kLowSpace, kReopening, kFailed };

class Store {  // thread-safe
 public:
  virtual ~Store() = default;

  // Changes of one caller are applied in the order given. Never blocks the caller; never refuses (bounds are intake's).
  virtual void commit(Change change, Done done) = 0;
  // Who receives a message holds a token of it until the commit is answered.
  Expected& expected() { return expected_; }

  // The next n rows this node should schedule, held until `until` (RocksDB: all, for ever; the cursor is the store's).
  virtual Result<ClaimPage> claim(std::size_t n, WallTime until) = 0;
  virtual Status renew(const std::vector<DueRow>& rows, WallTime until) = 0;
  virtual Result<std::vector<ClassRow>> classes() = 0;
  // All whose key begins so, in order. One that cannot be read is left out.
  virtual Result<std::vector<Note>> notes(const std::string& prefix) = 0;

  // Reads from disk: worker pool only. kNotFound where there is no such message.
  virtual Result<Message> message(QueueId id) = 0;
  virtual Result<std::vector<RecipientRow>> recipients(QueueId id) = 0;
  virtual Result<std::string> header(QueueId id) = 0;
  virtual Result<std::string> body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) = 0;
  virtual Result<std::vector<AttemptRow>> attempts(QueueId id) = 0;
  // Messages with id > after in order, at most n.
  virtual Result<std::vector<ListRow>> find(const Filter& filter, QueueId after, std::size_t n) = 0;

  // Looks at n messages with id > after, of those that were there at opening: what no schedule would bring to its end.
  virtual Result<StrayPage> strays(QueueId after, std::size_t n) = 0;

  virtual QueueId highest_id() = 0;
  virtual StoreState state() const = 0;
  // Accepting is pointless now (low space, reopening): the reply is 452 or 451 at MAIL already.
  virtual Status may_accept(std::uint64_t size) const = 0;

 protected:
  Expected expected_;
};

}  // namespace sidegate::queue
