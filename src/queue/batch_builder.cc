#include "queue/batch_builder.h"

#include "base/text.h"

namespace sidegate::queue {

RecentMessages::Entry* RecentMessages::find(QueueId id) {
  auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void RecentMessages::add(QueueId id, Entry entry) {
  if (order_.size() >= kCapacity) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
  entries_[id] = entry;
  order_.push_back(id);
}

void RecentMessages::clear() {
  entries_.clear();
  order_.clear();
}

void BatchBuilder::attach(const RocksDb* db, Mark mark) {
  db_ = db;
  mark_ = mark;
  recent_.clear();
  streams_.clear();
  clear();
}

void BatchBuilder::clear() {
  batch_.Clear();
  changed_.clear();
  needs_sync_ = false;
}

rocksdb::WriteBatch& BatchBuilder::finish() {
  ++mark_.group;
  put(Family::kMeta, kMarkKey, encode(kMarkKey, mark_));
  return batch_;
}

bool BatchBuilder::needs_next_batch(const Work& work) const {
  QueueId id;
  if (auto* outcome = std::get_if<Outcome>(&work)) id = outcome->id;
  if (auto* remove = std::get_if<Remove>(&work)) id = remove->id;
  if (auto* discard = std::get_if<Discard>(&work)) id = discard->id;
  if (auto* aside = std::get_if<SetAside>(&work)) id = aside->id;
  return id && changed_.contains(id);
}

Status BatchBuilder::add(const Work& work) {
  batch_.SetSavePoint();
  Status status = std::visit([this](const auto& one) { return add_one(one); }, work);
  if (status) {
    batch_.PopSavePoint().PermitUncheckedError();
  } else {
    batch_.RollbackToSavePoint().PermitUncheckedError();
  }
  return status;
}

// --- a message in

// Of a filter's new body that was not wanted after all the one before is still there.
std::uint32_t BatchBuilder::Stream::chunks_of(std::uint32_t wanted) const {
  if (wanted == generation) return chunks;
  for (auto [number, count] : abandoned) {
    if (number == wanted) return count;
  }
  return 0;
}

Status BatchBuilder::check_stream(const Accept& accept) const {
  if (accept.first_chunk == 0) return {};
  auto found = streams_.find(accept.message->id);
  // The chunks that went ahead unsynced may be gone: the store was reopened since, or one of them was refused.
  if (found == streams_.end() || found->second.chunks_of(accept.message->generation) != accept.first_chunk) {
    return fail(ErrorKind::kStorage, "the first chunks of " + accept.message->id.text() + " are not in the queue");
  }
  return {};
}

void BatchBuilder::put_chunk(QueueId id, std::uint32_t generation, std::uint32_t n, std::string_view bytes) {
  std::string key = body_key(id, generation, n);
  auto end = trailer(Family::kBody, key, bytes);
  const rocksdb::Slice key_part(key);
  const rocksdb::Slice parts[2] = {slice(bytes), {end.data(), end.size()}};
  batch_.Put(db_->family(Family::kBody), rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(parts, 2));
}

void BatchBuilder::end_stream(const Message& message) {
  auto found = streams_.find(message.id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  stream.abandoned.emplace_back(stream.generation, stream.chunks);
  for (auto [generation, chunks] : stream.abandoned) {
    if (generation != message.generation) erase_chunks(message.id, generation, chunks);
  }
  single_delete(Family::kOpen, id_key(message.id));
  streams_.erase(found);
}

Status BatchBuilder::add_one(const Accept& accept) {
  if (auto checked = check_stream(accept); !checked) return checked;
  const Message& message = *accept.message;
  const std::string key = id_key(message.id);
  std::uint32_t n = accept.first_chunk;
  for (std::string_view rest = accept.body; !rest.empty(); ++n) {
    std::string_view chunk = rest.substr(0, kChunkSize);
    put_chunk(message.id, message.generation, n, chunk);
    rest.remove_prefix(chunk.size());
  }
  put(Family::kEnvelope, key, encode(key, message, n));
  auto end = trailer(Family::kHeader, key, accept.header);
  const rocksdb::Slice key_part(key);
  const rocksdb::Slice parts[2] = {slice(accept.header), {end.data(), end.size()}};
  batch_.Put(db_->family(Family::kHeader), rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(parts, 2));
  for (const DueRow& row : accept.due) {
    std::string due_key = pair_key(message.id, row.class_id);
    put(Family::kDue, due_key, encode(due_key, row));
  }
  end_stream(message);
  if (accept.due.size() == 1) {
    recent_.add(message.id, {.generation = message.generation,
                             .chunks = n,
                             .class_id = accept.due[0].class_id,
                             .octets = message.header_size + message.body_size});
  } else {
    changed_.insert(message.id);
  }
  see(message.id);
  needs_sync_ = true;
  return {};
}

Status BatchBuilder::add_one(const PutChunk& chunk) {
  auto found = streams_.find(chunk.id);
  if (found == streams_.end()) {
    if (chunk.n != 0)
      return fail(ErrorKind::kStorage, "an earlier chunk of " + chunk.id.text() + " is not in the queue");
    std::string key = id_key(chunk.id);
    put(Family::kOpen, key, encode_open(key, chunk.generation));
    found = streams_.emplace(chunk.id, Stream{chunk.generation, 0, {}}).first;
    see(chunk.id);
  }
  Stream& stream = found->second;
  if (chunk.n == 0 && chunk.generation > stream.generation) {  // a filter's new body
    stream.abandoned.emplace_back(stream.generation, stream.chunks);
    stream.generation = chunk.generation;
    stream.chunks = 0;
  }
  if (chunk.generation != stream.generation || chunk.n != stream.chunks) {
    return fail(ErrorKind::kStorage, "a chunk of " + chunk.id.text() + " is missing or came twice");
  }
  put_chunk(chunk.id, chunk.generation, chunk.n, chunk.bytes);
  ++stream.chunks;
  changed_.insert(chunk.id);
  return {};
}

Status BatchBuilder::add_one(const Discard& discard) {
  auto found = streams_.find(discard.id);
  std::string key = id_key(discard.id);
  if (found == streams_.end()) {
    auto open = db_->get(Family::kOpen, key);
    if (!open) return open.error().kind == ErrorKind::kNotFound ? Status() : std::unexpected(open.error());
    single_delete(Family::kOpen, key);
    return erase_prefix(Family::kBody, discard.id);
  }
  for (auto [generation, chunks] : found->second.abandoned) erase_chunks(discard.id, generation, chunks);
  erase_chunks(discard.id, found->second.generation, found->second.chunks);
  single_delete(Family::kOpen, key);
  streams_.erase(found);
  return {};
}

Status BatchBuilder::add_one(const Intern& intern) {
  for (const ClassRow& row : intern.classes) {
    std::string key = class_key(row.id);
    put(Family::kClass, key, encode(key, row));
  }
  return {};
}

Status BatchBuilder::add_one(const Note& note) {
  const std::string key = note_key(note.key);
  if (note.value.empty()) {
    remove(Family::kMeta, key);
  } else {
    put(Family::kMeta, key, encode_note(key, note.value));
  }
  return {};
}

// --- what became of it

Status BatchBuilder::must_exist(QueueId id) {
  if (recent_.find(id)) return {};
  auto envelope = db_->get(Family::kEnvelope, id_key(id));
  if (envelope) return {};
  if (envelope.error().kind != ErrorKind::kNotFound) return std::unexpected(envelope.error());
  return fail(ErrorKind::kNotFound, id.text() + " is not in the queue");
}

Status BatchBuilder::add_one(const Outcome& outcome) {
  if (outcome.finished) {
    if (auto erased = erase(outcome.id); !erased) return erased;
  } else {
    if (auto there = must_exist(outcome.id); !there) return there;
    for (const auto& row : outcome.recipients) {
      std::string key = pair_key(outcome.id, row.n);
      put(Family::kRecipient, key, encode(key, row));
    }
    for (const auto& row : outcome.due) {
      std::string key = pair_key(outcome.id, row.class_id);
      put(Family::kDue, key, encode(key, row));
    }
    for (ClassId id : outcome.due_removed) remove(Family::kDue, pair_key(outcome.id, id));
    if (outcome.attempt) {
      std::string key = attempt_key(outcome.id, ++mark_.sequence);
      put(Family::kAttempt, key, encode(key, *outcome.attempt));
    }
    if (auto* recent = recent_.find(outcome.id)) recent->touched = true;
  }
  changed_.insert(outcome.id);
  const bool synced = needs_sync_;  // failure and report are one write, and it rides on the next sync
  for (const Accept& report : outcome.reports) {
    if (auto added = add_one(report); !added) return added;
  }
  needs_sync_ = synced;
  return {};
}

Status BatchBuilder::add_one(const Remove& remove) {
  if (auto erased = erase(remove.id); !erased) return erased;
  changed_.insert(remove.id);
  needs_sync_ = true;
  return {};
}

// --- rows away

void BatchBuilder::erase_chunks(QueueId id, std::uint32_t generation, std::uint32_t chunks) {
  for (std::uint32_t n = 0; n < chunks; ++n) single_delete(Family::kBody, body_key(id, generation, n));
}

Status BatchBuilder::erase(QueueId id) {
  auto* recent = recent_.find(id);
  if (!recent || recent->touched) {
    if (auto erased = erase_by_reading(id); !erased) return erased;
  } else {
    const std::string key = id_key(id);
    single_delete(Family::kEnvelope, key);
    single_delete(Family::kHeader, key);
    erase_chunks(id, recent->generation, recent->chunks);
    single_delete(Family::kDue, pair_key(id, recent->class_id));  // written once
    erased_octets_ += recent->octets;
  }
  recent_.remove(id);
  ++erased_messages_;
  return {};
}

Status BatchBuilder::erase_by_reading(QueueId id) {
  const std::string key = id_key(id);
  auto value = db_->get(Family::kEnvelope, key);
  if (!value && value.error().kind == ErrorKind::kNotFound) {
    return fail(ErrorKind::kNotFound, id.text() + " is not in the queue");
  }
  if (!value) return std::unexpected(value.error());
  if (auto message = decode_message(key, *value)) {
    erase_chunks(id, message->generation, message->chunks);
    erased_octets_ += message->header_size + message->body_size;
  } else if (auto erased = erase_prefix(Family::kBody, id); !erased) {
    return erased;
  }
  single_delete(Family::kEnvelope, key);
  single_delete(Family::kHeader, key);
  for (Family family : {Family::kDue, Family::kRecipient, Family::kAttempt}) {
    if (auto erased = erase_prefix(family, id); !erased) return erased;
  }
  return {};
}

Status BatchBuilder::erase_prefix(Family family, QueueId id) {
  return db_->each(family, id_key(id), [&](std::string_view key, std::string_view) {
    if (family == Family::kBody) {
      single_delete(family, key);
    } else {
      remove(family, key);
    }
    return true;
  });
}

Status BatchBuilder::erase_if_there(QueueId id) {
  auto erased = erase(id);
  if (!erased && erased.error().kind == ErrorKind::kNotFound) return {};
  return erased;
}

Status BatchBuilder::erase_open() {
  Status each = {};
  auto read = db_->each(Family::kOpen, "", [&](std::string_view key, std::string_view) {
    QueueId id = id_of_key(key);
    if (streams_.contains(id)) return true;  // of this life
    single_delete(Family::kOpen, key);
    each = erase_prefix(Family::kBody, id);
    return each.has_value();
  });
  return each ? read : each;
}

Status BatchBuilder::add_one(const SetAside& aside) {
  changed_.insert(aside.id);
  recent_.remove(aside.id);
  std::size_t rows = 0;
  const std::string prefix =
      aside.family == Family::kClass ? class_key(static_cast<ClassId>(aside.id.value)) : id_key(aside.id);
  auto move = [&](Family family) {
    return db_->each(family, prefix, [&](std::string_view key, std::string_view value) {
      put(Family::kBad, bad_key(family, key), value);
      const bool once = family == Family::kEnvelope || family == Family::kHeader || family == Family::kBody;
      once ? single_delete(family, key) : remove(family, key);
      ++rows;
      return true;
    });
  };
  if (aside.family == Family::kClass) {
    if (auto moved = move(Family::kClass); !moved) return moved;
  } else {
    for (Family f :
         {Family::kEnvelope, Family::kHeader, Family::kBody, Family::kDue, Family::kRecipient, Family::kAttempt}) {
      if (auto moved = move(f); !moved) return moved;
    }
  }
  if (rows == 0) return {};  // another reader was first
  needs_sync_ = true;
  log_.error("queue_row_set_aside",
             {{"id", aside.id.text()}, {"family", name(aside.family)}, {"rows", rows}, {"cause", aside.why}});
  return {};
}

}  // namespace sidegate::queue
