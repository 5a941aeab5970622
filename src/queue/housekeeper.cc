#include "queue/housekeeper.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace sidegate::queue {
namespace {

constexpr auto kIdle = std::chrono::seconds(10);
constexpr std::uint64_t kMuch = 64ull << 20;
constexpr std::uint64_t kManyMessages = 100'000;

}  // namespace

bool should_tidy(const TidyState& state, SteadyTime now) {
  if (state.messages == 0) return false;
  if (now - state.last_commit >= kIdle) return true;
  // Under load only when it pays: half of what lies there is gone, or dead rows slow down every scan.
  return (state.octets >= kMuch && state.octets >= state.on_disk / 2 && state.on_disk >= kMuch / 2) ||
         (state.messages >= kManyMessages && state.octets >= state.on_disk);
}

std::uint64_t free_space(const std::string& path) {
  struct statvfs fs;
  if (::statvfs(path.c_str(), &fs) != 0) return UINT64_MAX;
  return std::uint64_t(fs.f_bavail) * fs.f_frsize;
}

Housekeeper::Housekeeper(const StoreSettings& settings, Clock& clock, Log& log, const RocksDbPlace& place,
                         std::function<Progress()> progress)
    : settings_(settings),
      clock_(clock),
      log_(log),
      place_(place),
      progress_(std::move(progress)),
      last_commit_(clock.steady()) {}

void Housekeeper::start() {
  look_at_space();
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) {
      lock.unlock();
      tick();
      lock.lock();
    }
  });
}

void Housekeeper::stop() {
  cancel_ = true;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Housekeeper::tick() {
  std::lock_guard one_at_a_time(tick_mutex_);
  look_at_space();
  look_at_garbage();
}

bool Housekeeper::room_for(std::uint64_t size) const {
  return free_.load(std::memory_order_relaxed) >= settings_.min_free_space + size;
}

void Housekeeper::look_at_space() {
  const std::uint64_t free = free_space(settings_.path);
  free_.store(free, std::memory_order_relaxed);
  const bool low = free < settings_.min_free_space;
  if (low_space_.exchange(low, std::memory_order_relaxed) != low) {
    if (low) {
      log_.error("queue_low_space",
                 {{"free", free}, {"min_free_space", settings_.min_free_space}, {"path", settings_.path}});
    } else {
      log_.info("queue_space_again", {{"free", free}});
    }
  }
  keep_ballast(free);
}

void Housekeeper::keep_ballast(std::uint64_t free) {
  if (settings_.ballast == 0 || ::access(ballast_path().c_str(), F_OK) == 0) return;
  if (free < settings_.min_free_space + 2 * settings_.ballast) return;
  int fd = ::open(ballast_path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const int failed = ::posix_fallocate(fd, 0, static_cast<off_t>(settings_.ballast));
  ::close(fd);
  if (failed) drop_ballast();
}

void Housekeeper::drop_ballast() {
  if (::unlink(ballast_path().c_str()) == 0) log_.warning("queue_ballast_dropped", {{"octets", settings_.ballast}});
}

void Housekeeper::look_at_garbage() {
  const Progress now = progress_();
  if (now.groups != seen_.groups) last_commit_ = clock_.steady();
  seen_ = now;
  TidyState state{.last_commit = last_commit_,
                  .messages = now.erased_messages - tidied_.erased_messages,
                  .octets = now.erased_octets - tidied_.erased_octets};
  if (state.messages == 0) return;
  if (state.octets >= kMuch || state.messages >= kManyMessages) {
    auto db = place_.use();
    if (!db) return;
    for (std::size_t i = 0; i < kFamilies; ++i) {
      for (const char* property : {"rocksdb.total-sst-files-size", "rocksdb.total-blob-file-size"}) {
        std::uint64_t octets = 0;
        if ((*db)->GetIntProperty(db->family(static_cast<Family>(i)), property, &octets)) state.on_disk += octets;
      }
    }
  }
  if (!should_tidy(state, clock_.steady())) return;
  tidied_ = now;
  bool idle = clock_.steady() - last_commit_ >= kIdle;
  double dead = state.on_disk == 0 ? 1.0 : static_cast<double>(state.octets) / static_cast<double>(state.on_disk);
  tidy(idle ? 1.0 : std::min(dead, 1.0));
}

// oldest: the share of the blob files, oldest first, whose living bodies are written anew so that the file can go.
// Under load only as many as there is dead: mail mostly leaves in the order in which it came, so these hold little that
// lives.
void Housekeeper::tidy(double oldest) {
  auto db = place_.use();
  if (!db) return;
  std::vector<rocksdb::ColumnFamilyHandle*> all;
  for (std::size_t i = 0; i < kFamilies; ++i) all.push_back(db->family(static_cast<Family>(i)));
  // Put and SingleDelete meet in the memtables and vanish; the log is dropped.
  auto status = (*db)->Flush(rocksdb::FlushOptions(), all);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &cancel_;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.blob_garbage_collection_age_cutoff = oldest;
  for (std::size_t i = 0; i < all.size() && status.ok() && !cancel_; ++i) {
    status = (*db)->CompactRange(options, all[i], nullptr, nullptr);
  }
  if (!status.ok() && !cancel_) log_.warning("queue_compaction_failed", {{"cause", status.ToString()}});
}

}  // namespace sidegate::queue
