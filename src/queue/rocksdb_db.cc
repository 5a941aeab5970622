#include "queue/rocksdb_db.h"

#include <rocksdb/listener.h>

#include <cstdarg>
#include <cstdio>

namespace sidegate::queue {
namespace {

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(BackgroundError tell) : tell_(std::move(tell)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override {
    // A failed write is answered by the one who wrote; what nobody waits for is told here.
    using Reason = rocksdb::BackgroundErrorReason;
    if (reason == Reason::kWriteCallback || reason == Reason::kMemTable) return;
    if (tell_) tell_(rocksdb_error(*status, "background work of the queue"));
  }
  // After "no space" it would resume by itself, whatever max_bgerror_resume_count says, and sync the log whose sync has
  // just failed a second time: we close it and open anew.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  BackgroundError tell_;
};

// RocksDB's own log file must not be: a write to it that fails makes a later one end the process (an assertion in
// Debian's 7.8), and it would be one more file to watch. What it has to say goes into ours.
class OurLog final : public rocksdb::Logger {
 public:
  explicit OurLog(Log* log) : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(log) {}
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}  // headers: the options, at each opening
  void LogHeader(const char*, va_list) override {}
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list args) override {
    if (!log_ || level < rocksdb::InfoLogLevel::WARN_LEVEL || level > rocksdb::InfoLogLevel::FATAL_LEVEL) return;
    char text[1000];
    std::vsnprintf(text, sizeof text, format, args);
    log_->warning("rocksdb", {{"text", static_cast<const char*>(text)}});
  }

 private:
  Log* log_;
};

std::vector<rocksdb::ColumnFamilyDescriptor> descriptors(const MemoryBudget& budget) {
  std::vector<rocksdb::ColumnFamilyDescriptor> all;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    auto family = static_cast<Family>(i);
    all.emplace_back(name(family), family_options(family, budget));
  }
  return all;
}

}  // namespace

Error rocksdb_error(const rocksdb::Status& status, std::string_view what) {
  ErrorKind kind = ErrorKind::kStorage;
  if (status.IsNotFound()) kind = ErrorKind::kNotFound;
  if (status.IsNoSpace()) kind = ErrorKind::kNoSpace;
  std::string text = status.ToString();
  if (status.IsIOError() && text.find("lock") != std::string::npos) kind = ErrorKind::kConflict;
  return Error{kind, std::string(what) + ": " + text};
}

Result<std::unique_ptr<RocksDb>> RocksDb::open(const StoreSettings& settings, const MemoryBudget& budget,
                                               BackgroundError background_error, Log& log) {
  std::unique_ptr<RocksDb> self(new RocksDb);
  rocksdb::DBOptions options = db_options(settings, budget);
  options.info_log = std::make_shared<OurLog>(&log);
  options.listeners.push_back(std::make_shared<Listener>(std::move(background_error)));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  auto status = rocksdb::DB::Open(options, settings.path, descriptors(budget), &handles, &self->db_);
  if (auto taken = self->take(status, settings, std::move(handles)); !taken) return std::unexpected(taken.error());
  if (auto checked = self->check_format(true); !checked) return std::unexpected(checked.error());
  return self;
}

Result<std::unique_ptr<RocksDb>> RocksDb::open_readonly(const StoreSettings& settings, const MemoryBudget& budget) {
  std::unique_ptr<RocksDb> self(new RocksDb);
  rocksdb::DBOptions options = db_options(settings, budget);
  options.create_if_missing = options.create_missing_column_families = false;
  options.info_log = std::make_shared<OurLog>(nullptr);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  auto status = rocksdb::DB::OpenForReadOnly(options, settings.path, descriptors(budget), &handles, &self->db_);
  if (auto taken = self->take(status, settings, std::move(handles)); !taken) return std::unexpected(taken.error());
  if (auto checked = self->check_format(false); !checked) return std::unexpected(checked.error());
  return self;
}

Status RocksDb::take(const rocksdb::Status& status, const StoreSettings& settings,
                     std::vector<rocksdb::ColumnFamilyHandle*> handles) {
  if (!status.ok()) return std::unexpected(rocksdb_error(status, "cannot open the queue in " + settings.path));
  std::copy_n(handles.begin(), kFamilies, families_.begin());
  return {};
}

Status RocksDb::check_format(bool may_write) {
  auto value = get(Family::kMeta, kFormatKey);
  if (!value && value.error().kind == ErrorKind::kNotFound) {
    if (!may_write) return {};
    std::string fresh = encode_format(kFormatKey, kFormat);
    auto status = db_->Put(unsynced_write(), family(Family::kMeta), slice(kFormatKey), fresh);
    if (!status.ok()) return std::unexpected(rocksdb_error(status, "cannot write to the queue"));
    return {};
  }
  if (!value) return std::unexpected(value.error());
  auto format = decode_format(kFormatKey, *value);
  if (!format) return std::unexpected(format.error());
  if (*format != kFormat) {
    return fail(ErrorKind::kStorage, "the queue has format " + std::to_string(*format) +
                                         ", this program reads format " + std::to_string(kFormat) +
                                         ": it was written by another version");
  }
  return {};
}

RocksDb::~RocksDb() {
  if (!db_) return;
  for (auto* handle : families_) {
    if (handle) db_->DestroyColumnFamilyHandle(handle);
  }
  // Close() waits for background work and makes no sync; what it says about an error we already know.
  db_->Close().PermitUncheckedError();
  delete db_;
}

Result<std::string> RocksDb::get(Family f, std::string_view key) const {
  std::string value;
  auto status = db_->Get(rocksdb::ReadOptions(), family(f), slice(key), &value);
  if (!status.ok()) return std::unexpected(rocksdb_error(status, name(f)));
  return value;
}

rocksdb::ReadOptions RocksDb::scan_options(std::string_view prefix) {
  rocksdb::ReadOptions o;
  o.total_order_seek = prefix.size() < 8;  // the families with an id as prefix have prefix filters
  o.prefix_same_as_start = prefix.size() >= 8;
  return o;
}

}  // namespace sidegate::queue
