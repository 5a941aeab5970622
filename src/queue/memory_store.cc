#include "queue/memory_store.h"

#include "queue/matches.h"

namespace sidegate::queue {
namespace {

std::unexpected<Error> not_there(QueueId id) {
  return fail(ErrorKind::kNotFound, id.text() + " is not in the queue");
}

}  // namespace

void MemoryStore::commit(Change change, Done done) {
  Status status;
  {
    std::lock_guard lock(cluster_.mutex_);
    status = std::visit([this](auto& one) { return apply(one); }, change);
  }
  if (done) done(std::move(status));
}

// --- a message in

Status MemoryStore::apply(Accept& accept) {
  if (accept_error_) return std::unexpected(*accept_error_);
  if (accept.first_chunk > 0) {
    auto stream = streams_.find(accept.message->id);
    if (stream == streams_.end() || stream->second.bodies[accept.message->generation].size() != accept.first_chunk) {
      return fail(ErrorKind::kStorage, "the first chunks of " + accept.message->id.text() + " are not in the queue");
    }
  }
  add(accept);
  return {};
}

void MemoryStore::add(Accept& accept) {
  const Message& message = *accept.message;
  auto& entry = cluster_.messages_[message.id];
  entry.message = message;
  entry.header = std::move(accept.header);
  std::uint32_t n = 0;
  if (auto stream = streams_.find(message.id); stream != streams_.end()) {
    for (auto& chunk : stream->second.bodies[message.generation])
      entry.body[{message.generation, n++}] = std::move(chunk);
    streams_.erase(stream);
  }
  n = accept.first_chunk;
  for (std::string_view rest = accept.body; !rest.empty(); ++n) {
    entry.body[{message.generation, n}] = rest.substr(0, kChunkSize);
    rest.remove_prefix(std::min(rest.size(), kChunkSize));
  }
  entry.message.chunks = n;
  for (auto& row : accept.due) {
    row.epoch = ++cluster_.epoch_;
    entry.due[row.class_id] = row;
    entry.claims[row.class_id] = {node_, row.epoch, cluster_.clock_.wall() + claim_for_};
  }
  cluster_.highest_ = std::max(cluster_.highest_, message.id);
}

Status MemoryStore::apply(PutChunk& chunk) {
  if (accept_error_) return std::unexpected(*accept_error_);
  auto found = streams_.find(chunk.id);
  if (found == streams_.end() && chunk.n != 0) {
    return fail(ErrorKind::kStorage, "an earlier chunk of " + chunk.id.text() + " is not in the queue");
  }
  auto& stream = streams_[chunk.id];
  if (found == streams_.end() || (chunk.n == 0 && chunk.generation > stream.generation)) {
    stream.generation = chunk.generation;
  }
  if (chunk.generation != stream.generation || chunk.n != stream.bodies[chunk.generation].size()) {
    return fail(ErrorKind::kStorage, "a chunk of " + chunk.id.text() + " is missing or came twice");
  }
  stream.bodies[chunk.generation].push_back(std::move(chunk.bytes));
  return {};
}

Status MemoryStore::apply(Discard& discard) {
  streams_.erase(discard.id);
  return {};
}

Status MemoryStore::apply(Intern& intern) {
  for (auto& row : intern.classes) cluster_.classes_[row.id] = row.key;
  return {};
}

Status MemoryStore::apply(Note& note) {
  if (note.value.empty()) {
    cluster_.notes_.erase(note.key);
  } else {
    cluster_.notes_[note.key] = std::move(note.value);
  }
  return {};
}

// --- what became of it

// Ours while nobody has claimed it since, also after `until`; epoch 0: the row came from our own accept.
bool MemoryStore::is_mine(const Cluster::Entry& entry, ClassId id, std::uint64_t epoch) const {
  auto claim = entry.claims.find(id);
  if (claim == entry.claims.end()) return true;  // a new class of this message
  return claim->second.node == node_ && (epoch == 0 || claim->second.epoch == epoch);
}

Status MemoryStore::apply(Outcome& outcome) {
  auto found = cluster_.messages_.find(outcome.id);
  if (found == cluster_.messages_.end()) return not_there(outcome.id);
  auto& entry = found->second;
  auto lapsed = [&] { return fail(ErrorKind::kConflict, "another node has claimed " + outcome.id.text()); };
  for (const auto& row : outcome.due) {
    if (!is_mine(entry, row.class_id, row.epoch)) return lapsed();
  }
  for (ClassId id : outcome.due_removed) {
    if (!is_mine(entry, id, 0)) return lapsed();
  }
  if (outcome.finished) {
    for (const auto& [id, row] : entry.due) {
      if (!is_mine(entry, id, 0)) return lapsed();
    }
    cluster_.messages_.erase(found);
  } else {
    for (auto& row : outcome.recipients) entry.recipients[row.n] = row;
    for (auto& row : outcome.due) entry.due[row.class_id] = row;
    for (ClassId id : outcome.due_removed) {
      entry.due.erase(id);
      entry.claims.erase(id);
    }
    if (outcome.attempt) entry.attempts.push_back(std::move(*outcome.attempt));
  }
  for (Accept& report : outcome.reports) add(report);
  return {};
}

Status MemoryStore::apply(Remove& remove) {
  if (cluster_.messages_.erase(remove.id) == 0) return not_there(remove.id);
  return {};
}

// --- claims

Result<ClaimPage> MemoryStore::claim(std::size_t n, WallTime until) {
  std::lock_guard lock(cluster_.mutex_);
  ClaimPage page;
  const WallTime now = cluster_.clock_.wall();
  for (auto& [id, entry] : cluster_.messages_) {
    for (auto& [class_id, row] : entry.due) {
      auto& claim = entry.claims[class_id];
      if (claim.epoch != 0 && claim.until > now) continue;
      if (page.rows.size() == n) return page;
      claim = {node_, ++cluster_.epoch_, until};
      row.epoch = claim.epoch;
      page.rows.push_back(row);
    }
  }
  page.end = true;
  return page;
}

Status MemoryStore::renew(const std::vector<DueRow>& rows, WallTime until) {
  std::lock_guard lock(cluster_.mutex_);
  for (const auto& row : rows) {
    auto found = cluster_.messages_.find(row.id);
    if (found == cluster_.messages_.end()) continue;
    if (!is_mine(found->second, row.class_id, row.epoch)) {
      return fail(ErrorKind::kConflict, "another node has claimed " + row.id.text());
    }
    found->second.claims[row.class_id].until = until;
  }
  return {};
}

// --- reading

Result<const MemoryCluster::Entry*> MemoryStore::entry(QueueId id) const {
  auto found = cluster_.messages_.find(id);
  if (found == cluster_.messages_.end()) return not_there(id);
  return &found->second;
}

Result<std::vector<ClassRow>> MemoryStore::classes() {
  std::lock_guard lock(cluster_.mutex_);
  std::vector<ClassRow> all;
  for (const auto& [id, key] : cluster_.classes_) all.push_back({id, key});
  return all;
}

Result<std::vector<Note>> MemoryStore::notes(const std::string& prefix) {
  std::lock_guard lock(cluster_.mutex_);
  std::vector<Note> all;
  for (auto at = cluster_.notes_.lower_bound(prefix); at != cluster_.notes_.end() && at->first.starts_with(prefix);
       ++at)
    all.push_back({at->first, at->second});
  return all;
}

Result<Message> MemoryStore::message(QueueId id) {
  std::lock_guard lock(cluster_.mutex_);
  auto found = entry(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->message;
}

Result<std::vector<RecipientRow>> MemoryStore::recipients(QueueId id) {
  std::lock_guard lock(cluster_.mutex_);
  auto found = entry(id);
  if (!found) return std::unexpected(found.error());
  std::vector<RecipientRow> rows;
  for (const auto& [n, row] : (*found)->recipients) rows.push_back(row);
  return rows;
}

Result<std::string> MemoryStore::header(QueueId id) {
  std::lock_guard lock(cluster_.mutex_);
  auto found = entry(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->header;
}

Result<std::string> MemoryStore::body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) {
  std::lock_guard lock(cluster_.mutex_);
  if (auto stream = streams_.find(id); stream != streams_.end()) {  // under way
    const auto& chunks = stream->second.bodies[generation];
    return n < chunks.size() ? Result<std::string>(chunks[n]) : not_there(id);
  }
  auto found = entry(id);
  if (!found) return std::unexpected(found.error());
  auto chunk = (*found)->body.find({generation, n});
  if (chunk == (*found)->body.end()) return not_there(id);
  return chunk->second;
}

Result<std::vector<AttemptRow>> MemoryStore::attempts(QueueId id) {
  std::lock_guard lock(cluster_.mutex_);
  auto found = entry(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->attempts;
}

Result<std::vector<ListRow>> MemoryStore::find(const Filter& filter, QueueId after, std::size_t n) {
  std::lock_guard lock(cluster_.mutex_);
  std::vector<ListRow> rows;
  for (auto it = cluster_.messages_.upper_bound(after); it != cluster_.messages_.end() && rows.size() < n; ++it) {
    if (!matches(filter, it->second.message)) continue;
    ListRow row{it->second.message, {}, {}};
    for (const auto& [i, recipient] : it->second.recipients) row.recipients.push_back(recipient);
    for (const auto& [id, due] : it->second.due) row.due.push_back(due);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<StrayPage> MemoryStore::strays(QueueId after, std::size_t n) {
  std::lock_guard lock(cluster_.mutex_);
  StrayPage page;
  page.last = after;
  auto it = cluster_.messages_.upper_bound(after);
  for (; it != cluster_.messages_.end() && n > 0; ++it, --n) {
    std::vector<RecipientRow> recipients;
    std::vector<ClassId> due;
    for (const auto& [i, row] : it->second.recipients) recipients.push_back(row);
    for (const auto& [id, row] : it->second.due) due.push_back(id);
    if (auto stray = stray_of(it->second.message, recipients, due)) page.strays.push_back(std::move(*stray));
    page.last = it->first;
  }
  page.end = it == cluster_.messages_.end();
  return page;
}

QueueId MemoryStore::highest_id() {
  std::lock_guard lock(cluster_.mutex_);
  return cluster_.highest_;
}

Status MemoryStore::may_accept(std::uint64_t) const {
  std::lock_guard lock(cluster_.mutex_);
  if (accept_error_) return std::unexpected(*accept_error_);
  return {};
}

void MemoryStore::fail_accepts(std::optional<Error> error) {
  std::lock_guard lock(cluster_.mutex_);
  accept_error_ = std::move(error);
}

}  // namespace sidegate::queue
