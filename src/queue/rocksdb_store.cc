#include "queue/rocksdb_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <unordered_set>

#include "queue/rocksdb_store_impl.h"

namespace sidegate::queue {
namespace {

constexpr std::size_t kFewDueRows = 10'000;

Status make_directory(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(errno_error(errno, "cannot make " + path));
  return {};
}

class ReadOnlyStore final : public Store {
 public:
  explicit ReadOnlyStore(const std::string& path)
      : budget_(16u << 20), reader_(place_, [](QueueId, Family, const std::string&) {}) {
    settings_.path = path;
  }
  Status start() {
    auto db = RocksDb::open_readonly(settings_, budget_);
    if (!db) return std::unexpected(db.error());
    place_.put(std::move(*db));
    return {};
  }
  void commit(Change, Done done) override { done(read_only()); }
  Result<ClaimPage> claim(std::size_t, WallTime) override { return read_only(); }
  Status renew(const std::vector<DueRow>&, WallTime) override { return read_only(); }
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
  Result<StrayPage> strays(QueueId, std::size_t) override { return read_only(); }
  QueueId highest_id() override { return {}; }
  StoreState state() const override { return StoreState::kOpen; }
  Status may_accept(std::uint64_t) const override { return read_only(); }

 private:
  static std::unexpected<Error> read_only() { return fail(ErrorKind::kConflict, "the queue is open for reading only"); }
  StoreSettings settings_;
  MemoryBudget budget_;
  RocksDbPlace place_;
  RocksDbReader reader_;
};

// Classes that no row waits on are dropped while nobody has read them yet, if looking is cheap. The newest stays: a
// class's number is never given to another one, so that a message that still names it is never taken for another's.
Status drop_unused_classes(const RocksDb& db) {
  std::unordered_set<ClassId> used;
  std::size_t rows = 0;
  auto read = db.each(Family::kDue, "", [&](std::string_view key, std::string_view) {
    used.insert(second_of_key(key));
    return ++rows <= kFewDueRows;
  });
  if (!read || rows > kFewDueRows) return read;
  rocksdb::WriteBatch batch;
  std::string unused;  // the key of the last one found; keys are in the order of numbers
  read = db.each(Family::kClass, "", [&](std::string_view key, std::string_view value) {
    if (!unused.empty()) batch.Delete(db.family(Family::kClass), unused);
    auto row = decode_class(key, value);
    unused = row && !used.contains(row->id) ? std::string(key) : std::string();
    return true;
  });
  if (!read || batch.Count() == 0) return read;
  auto status = db->Write(unsynced_write(), &batch);
  if (!status.ok()) return std::unexpected(rocksdb_error(status, "cannot write to the queue"));
  return {};
}

}  // namespace

RocksDbStore::RocksDbStore(const StoreSettings& settings, Clock& clock, Log& log)
    : settings_(settings),
      log_(log),
      budget_(settings.memory),
      housekeeper_(settings_, clock, log, place_,
                   [this] { return Progress{commit_.groups(), commit_.erased_messages(), commit_.erased_octets()}; }),
      commit_(
          settings_, clock, log, budget_, place_, [this](const Error&) { housekeeper_.drop_ballast(); }, expected_),
      reader_(place_, [this](QueueId id, Family family, const std::string& why) {
        commit_.commit(SetAside{id, family, why}, nullptr);
      }) {}

RocksDbStore::~RocksDbStore() {
  housekeeper_.stop();
}

Status RocksDbStore::start() {
  if (!settings_.sync) log_.warning("queue_not_synced", {{"path", settings_.path}});
  if (auto made = make_directory(settings_.path); !made) return made;
  if (auto started = commit_.start(drop_unused_classes); !started) return started;
  housekeeper_.start();
  return {};
}

Result<ClaimPage> RocksDbStore::claim(std::size_t n, WallTime) {
  std::lock_guard lock(claim_mutex_);
  return reader_.due(claim_cursor_, commit_.highest_at_start(), n);
}

StoreState RocksDbStore::state() const {
  if (commit_.reopening() || commit_.stalled()) return StoreState::kReopening;
  return housekeeper_.low_space() ? StoreState::kLowSpace : StoreState::kOpen;
}

Status RocksDbStore::may_accept(std::uint64_t size) const {
  if (commit_.reopening()) return fail(ErrorKind::kStorage, "the queue is being opened again");
  if (commit_.stalled()) return fail(ErrorKind::kOverload, "the queue's disk is stalled");
  if (!housekeeper_.room_for(size)) return fail(ErrorKind::kNoSpace, "too little space for the queue");
  return {};
}

Result<std::unique_ptr<Store>> open_rocksdb_store(const StoreSettings& settings, Clock& clock, Log& log) {
  auto store = std::make_unique<RocksDbStore>(settings, clock, log);
  if (auto started = store->start(); !started) return std::unexpected(started.error());
  return store;
}

Result<std::unique_ptr<Store>> open_rocksdb_readonly(const std::string& path) {
  auto store = std::make_unique<ReadOnlyStore>(path);
  if (auto started = store->start(); !started) return std::unexpected(started.error());
  return store;
}

}  // namespace sidegate::queue
