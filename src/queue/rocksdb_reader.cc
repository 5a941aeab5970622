#include "queue/rocksdb_reader.h"

#include "base/octets.h"
#include "queue/matches.h"

namespace sidegate::queue {
namespace {

std::unexpected<Error> closed() {
  return fail(ErrorKind::kStorage, "the queue is being opened again");
}

std::unexpected<Error> not_there(QueueId id) {
  return fail(ErrorKind::kNotFound, id.text() + " is not in the queue");
}

}  // namespace

Result<ClaimPage> RocksDbReader::due(std::string& cursor, QueueId last, std::size_t n) const {
  auto db = place_.use();
  if (!db) return closed();
  ClaimPage page;
  rocksdb::ReadOptions options = RocksDb::scan_options("");
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it((*db)->NewIterator(options, db->family(Family::kDue)));
  it->Seek(slice(cursor));
  for (; it->Valid() && page.rows.size() < n; it->Next()) {
    std::string_view key = view(it->key());
    if (id_of_key(key) > last) break;
    cursor.assign(key);
    cursor.push_back('\0');  // the next key there can be
    auto row = decode_due(key, view(it->value()));
    if (row) {
      page.rows.push_back(*row);
    } else {
      bad_row_(id_of_key(key), Family::kDue, row.error().text);
    }
  }
  if (!it->status().ok()) return std::unexpected(rocksdb_error(it->status(), "due"));
  page.end = !it->Valid() || id_of_key(view(it->key())) > last;
  return page;
}

Result<std::vector<ClassRow>> RocksDbReader::classes() const {
  auto db = place_.use();
  if (!db) return closed();
  std::vector<ClassRow> all;
  auto read = db->each(Family::kClass, "", [&](std::string_view key, std::string_view value) {
    auto row = decode_class(key, value);
    if (row) {
      all.push_back(std::move(*row));
    } else {
      // A class is no message: its number stands where the id would.
      bad_row_(QueueId{get_big(key)}, Family::kClass, row.error().text);
    }
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return all;
}

Result<std::vector<Note>> RocksDbReader::notes(const std::string& prefix) const {
  auto db = place_.use();
  if (!db) return closed();
  std::vector<Note> all;
  auto read = db->each(Family::kMeta, note_key(prefix), [&](std::string_view key, std::string_view value) {
    auto text = decode_note(key, value);
    if (text) all.push_back({std::string(key.substr(kNotePrefix.size())), std::move(*text)});
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return all;
}

Result<Message> RocksDbReader::message(QueueId id) const {
  auto db = place_.use();
  if (!db) return closed();
  const std::string key = id_key(id);
  auto value = db->get(Family::kEnvelope, key);
  if (!value) return value.error().kind == ErrorKind::kNotFound ? not_there(id) : std::unexpected(value.error());
  auto message = decode_message(key, *value);
  if (!message) bad_row_(id, Family::kEnvelope, message.error().text);
  return message;
}

Result<std::string> RocksDbReader::octets(Family family, QueueId id, std::string_view key) const {
  auto db = place_.use();
  if (!db) return closed();
  auto value = db->get(family, key);
  if (!value) return value.error().kind == ErrorKind::kNotFound ? not_there(id) : std::unexpected(value.error());
  if (auto inside = payload(family, key, *value); !inside) {
    bad_row_(id, family, inside.error().text);
    return std::unexpected(inside.error());
  }
  value->resize(value->size() - kTrailer);
  return value;
}

Result<std::string> RocksDbReader::header(QueueId id) const {
  return octets(Family::kHeader, id, id_key(id));
}

Result<std::string> RocksDbReader::body_chunk(QueueId id, std::uint32_t generation, std::uint32_t n) const {
  return octets(Family::kBody, id, body_key(id, generation, n));
}

template <typename Row, typename Decode>
Result<std::vector<Row>> RocksDbReader::rows(const RocksDb& db, Family family, QueueId id, Decode decode) const {
  std::vector<Row> all;
  std::optional<Error> bad;
  auto read = db.each(family, id_key(id), [&](std::string_view key, std::string_view value) {
    auto row = decode(key, value);
    if (row) {
      all.push_back(std::move(*row));
    } else {
      bad = row.error();
    }
    return row.has_value();
  });
  if (!read) return std::unexpected(read.error());
  if (bad) {
    bad_row_(id, family, bad->text);
    return std::unexpected(*bad);
  }
  return all;
}

Result<std::vector<RecipientRow>> RocksDbReader::recipients(QueueId id) const {
  auto db = place_.use();
  if (!db) return closed();
  if (auto there = db->get(Family::kEnvelope, id_key(id)); !there) {
    return there.error().kind == ErrorKind::kNotFound ? not_there(id) : std::unexpected(there.error());
  }
  return rows<RecipientRow>(*db, Family::kRecipient, id, decode_recipient);
}

Result<std::vector<AttemptRow>> RocksDbReader::attempts(QueueId id) const {
  auto db = place_.use();
  if (!db) return closed();
  if (auto there = db->get(Family::kEnvelope, id_key(id)); !there) {
    return there.error().kind == ErrorKind::kNotFound ? not_there(id) : std::unexpected(there.error());
  }
  return rows<AttemptRow>(*db, Family::kAttempt, id, decode_attempt);
}

Result<std::vector<ListRow>> RocksDbReader::find(const Filter& filter, QueueId after, std::size_t n) const {
  auto db = place_.use();
  if (!db) return closed();
  std::vector<ListRow> found;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it((*db)->NewIterator(options, db->family(Family::kEnvelope)));
  if (after.value != UINT64_MAX) it->Seek(id_key(QueueId{after.value + 1}));
  for (; it->Valid() && found.size() < n && after.value != UINT64_MAX; it->Next()) {
    auto message = decode_message(view(it->key()), view(it->value()));
    if (!message) {  // set aside; the list goes on
      bad_row_(id_of_key(view(it->key())), Family::kEnvelope, message.error().text);
      continue;
    }
    if (!matches(filter, *message)) continue;
    const QueueId id = message->id;
    auto recipients = rows<RecipientRow>(*db, Family::kRecipient, id, decode_recipient);
    auto due = rows<DueRow>(*db, Family::kDue, id, decode_due);
    if (!recipients || !due) {
      const Error& error = recipients ? due.error() : recipients.error();
      if (error.text.starts_with("unreadable")) continue;
      return std::unexpected(error);
    }
    found.push_back({std::move(*message), std::move(*recipients), std::move(*due)});
  }
  if (!it->status().ok()) return std::unexpected(rocksdb_error(it->status(), "envelope"));
  return found;
}

namespace {

// One family's rows in the order of ids, beside another one's: each id is asked for once, in growing order.
class Beside {
 public:
  Beside(const RocksDb& db, Family family, const rocksdb::Snapshot* moment, QueueId first) {
    rocksdb::ReadOptions options = RocksDb::scan_options("");
    options.fill_cache = false;
    options.snapshot = moment;
    it_.reset(db->NewIterator(options, db.family(family)));
    it_->Seek(id_key(first));
  }
  // Calls fn(key, value) for each row of the message, after skipping those of smaller ids.
  template <typename Fn>
  void each(QueueId id, Fn fn) {
    while (it_->Valid() && id_of_key(view(it_->key())) < id) it_->Next();
    for (; it_->Valid() && id_of_key(view(it_->key())) == id; it_->Next()) fn(view(it_->key()), view(it_->value()));
  }
  rocksdb::Status status() const { return it_->status(); }

 private:
  std::unique_ptr<rocksdb::Iterator> it_;
};

}  // namespace

Result<StrayPage> RocksDbReader::strays(QueueId after, QueueId last, std::size_t n) const {
  auto db = place_.use();
  if (!db) return closed();
  StrayPage page;
  page.last = after;
  page.end = after >= last;
  if (page.end) return page;
  const QueueId first{after.value + 1};
  rocksdb::ManagedSnapshot moment((*db).operator->());
  Beside due_rows(*db, Family::kDue, moment.snapshot(), first);
  Beside recipient_rows(*db, Family::kRecipient, moment.snapshot(), first);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.snapshot = moment.snapshot();
  std::unique_ptr<rocksdb::Iterator> it((*db)->NewIterator(options, db->family(Family::kEnvelope)));
  it->Seek(id_key(first));
  std::vector<ClassId> due;
  std::vector<RecipientRow> recipients;
  for (; it->Valid() && id_of_key(view(it->key())) <= last && n > 0; it->Next(), --n) {
    const QueueId id = id_of_key(view(it->key()));
    page.last = id;
    bool readable = true;
    auto bad = [&](Family family, const Error& error) {
      bad_row_(id, family, error.text);
      readable = false;
    };
    due.clear();
    due_rows.each(id, [&](std::string_view key, std::string_view) { due.push_back(second_of_key(key)); });
    recipients.clear();
    recipient_rows.each(id, [&](std::string_view key, std::string_view value) {
      auto row = decode_recipient(key, value);
      row ? recipients.push_back(std::move(*row)) : bad(Family::kRecipient, row.error());
    });
    auto message = decode_message(view(it->key()), view(it->value()));
    if (!message) bad(Family::kEnvelope, message.error());
    if (!readable) continue;  // set aside
    if (auto stray = stray_of(*message, recipients, due)) page.strays.push_back(std::move(*stray));
  }
  for (const rocksdb::Status& status : {it->status(), due_rows.status(), recipient_rows.status()}) {
    if (!status.ok()) return std::unexpected(rocksdb_error(status, "the queue cannot be read"));
  }
  page.end = !it->Valid() || id_of_key(view(it->key())) > last;
  return page;
}

}  // namespace sidegate::queue
