// The reading half of the store on RocksDB: any thread, no writing. Rows that cannot be read are told to `bad_row`.
#pragma once

#include "queue/rocksdb_db.h"
#include "queue/store.h"

namespace sidegate::queue {

class RocksDbReader {
 public:
  using BadRow = std::function<void(QueueId, Family, const std::string& why)>;
  RocksDbReader(const RocksDbPlace& place, BadRow bad_row) : place_(place), bad_row_(std::move(bad_row)) {}

  // Due rows after `cursor` (a key), with ids up to `last`; moves the cursor.
  Result<ClaimPage> due(std::string& cursor, QueueId last, std::size_t n) const;
  Result<std::vector<ClassRow>> classes() const;
  Result<std::vector<Note>> notes(const std::string& prefix) const;
  Result<Message> message(QueueId id) const;
  Result<std::vector<RecipientRow>> recipients(QueueId id) const;
  Result<std::string> header(QueueId id) const;
  Result<std::string> body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) const;
  Result<std::vector<AttemptRow>> attempts(QueueId id) const;
  Result<std::vector<ListRow>> find(const Filter& filter, QueueId after, std::size_t n) const;
  // Looks at n messages after `after`, with ids up to `last`, all their rows as of one moment.
  Result<StrayPage> strays(QueueId after, QueueId last, std::size_t n) const;

 private:
  Result<std::string> octets(Family family, QueueId id, std::string_view key) const;
  template <typename Row, typename Decode>
  Result<std::vector<Row>> rows(const RocksDb& db, Family family, QueueId id, Decode decode) const;

  const RocksDbPlace& place_;
  BadRow bad_row_;
};

}  // namespace sidegate::queue
