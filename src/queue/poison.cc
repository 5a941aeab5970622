#include "queue/poison.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/text.h"

namespace sidegate::queue {
namespace {

constexpr std::size_t kHeader = 64;
constexpr std::string_view kMagic = "sidegate poison 1\n";
constexpr std::size_t kMostCounts = 1000;

std::string file_header() {
  std::string header(kMagic);
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(boot, id);
  header += id.substr(0, kHeader - kMagic.size());
  header.resize(kHeader, '\0');
  return header;
}

std::map<QueueId, unsigned> read_counts(const std::string& path) {
  std::map<QueueId, unsigned> counts;
  std::ifstream file(path);
  std::string word;
  std::uint64_t count;
  while (counts.size() < kMostCounts && file >> word >> count) {
    if (auto id = QueueId::parse(word)) counts[*id] = static_cast<unsigned>(std::min<std::uint64_t>(count, 1000));
  }
  return counts;
}

Status write_durably(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return std::unexpected(errno_error(errno, "cannot write " + fresh));
  bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  int error = errno;
  ::close(fd);
  if (ok && ::rename(fresh.c_str(), path.c_str()) != 0) {
    ok = false;
    error = errno;
  }
  if (!ok) {
    ::unlink(fresh.c_str());
    return std::unexpected(errno_error(error, "cannot write " + path));
  }
  const std::string directory = path.substr(0, path.find_last_of('/') + 1);
  if (int dir = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
  return {};
}

}  // namespace

std::vector<PoisonFile::Suspect> PoisonFile::read_slots(int fd) const {
  std::vector<Suspect> found;
  struct stat info;
  if (::fstat(fd, &info) != 0 || info.st_size < static_cast<off_t>(kHeader) || info.st_size > (16 << 20)) return found;
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  if (::pread(fd, bytes.data(), bytes.size(), 0) != info.st_size) return found;
  if (std::string_view(bytes).substr(0, kHeader) != file_header()) return found;
  for (std::size_t at = kHeader; at + sizeof(Slot) <= bytes.size(); at += sizeof(Slot)) {
    Suspect suspect;
    std::memcpy(&suspect.id.value, &bytes[at], 8);
    const char* peer = &bytes[at + offsetof(Slot, peer)];
    suspect.peer = printable(std::string_view(peer, ::strnlen(peer, sizeof(Slot::peer))));
    if (suspect.id || !suspect.peer.empty()) found.push_back(std::move(suspect));
  }
  return found;
}

Result<std::unique_ptr<PoisonFile>> PoisonFile::open(const std::string& path, unsigned slots) {
  std::unique_ptr<PoisonFile> self(new PoisonFile);
  self->path_ = path;
  self->slots_ = slots;
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return std::unexpected(errno_error(errno, "cannot open " + path));
  std::vector<Suspect> found = self->read_slots(fd);
  self->counts_ = read_counts(path + ".counts");
  std::map<QueueId, std::string> peers;
  for (auto& suspect : found) {
    if (!suspect.id) {
      suspect.crashes = 1;
      self->suspects_.push_back(std::move(suspect));
    } else if (peers.try_emplace(suspect.id, suspect.peer).second) {  // twice in hand is one crash
      ++self->counts_[suspect.id];
    }
  }
  // The oldest go first where a crash left more than can be told apart.
  while (self->counts_.size() > kMostCounts) self->counts_.erase(self->counts_.begin());
  for (auto& [id, crashes] : self->counts_)
    self->suspects_.push_back({id, crashes, peers.contains(id) ? peers[id] : ""});
  // Counted first, emptied then: a crash in between counts twice rather than never.
  if (!found.empty()) {
    if (auto written = self->write_counts(); !written) {
      ::close(fd);
      return std::unexpected(written.error());
    }
  }
  self->counted_ = self->counts_.size();
  self->map_size_ = kHeader + slots * sizeof(Slot);
  const std::string header = file_header();
  bool ok = ::ftruncate(fd, 0) == 0 && ::posix_fallocate(fd, 0, static_cast<off_t>(self->map_size_)) == 0 &&
            ::pwrite(fd, header.data(), header.size(), 0) == static_cast<ssize_t>(header.size());
  if (ok) self->map_ = ::mmap(nullptr, self->map_size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  ::close(fd);
  if (!ok || self->map_ == MAP_FAILED) {
    self->map_ = nullptr;
    return std::unexpected(errno_error(error, "cannot map " + path));
  }
  self->slot_ = reinterpret_cast<Slot*>(static_cast<char*>(self->map_) + kHeader);
  return self;
}

PoisonFile::~PoisonFile() {
  if (!map_) return;
  end();
  ::munmap(map_, map_size_);
}

void PoisonFile::end() {
  ended_ = true;
  for (unsigned i = 0; i < slots_; ++i) clear(i);
}

// Threads begin to look at different places, each at the slot it had last: usually the first look finds it free, and
// few pages of the file are ever touched.
unsigned PoisonFile::enter(QueueId id, std::string_view peer) {
  static std::atomic<unsigned> threads{0};
  thread_local unsigned next = threads.fetch_add(1, std::memory_order_relaxed) * 97;
  if (ended_.load(std::memory_order_relaxed)) return slots_;
  for (unsigned looked = 0; looked < slots_; ++looked, ++next) {
    const unsigned slot = next % slots_;
    std::uint64_t free = 0;
    if (slot_[slot].id.load(std::memory_order_relaxed) != 0) continue;
    if (!slot_[slot].id.compare_exchange_strong(free, id.value, std::memory_order_acquire)) continue;
    set(slot, id, peer);
    return slot;
  }
  return slots_;
}

void PoisonFile::set(unsigned slot, QueueId id, std::string_view peer) {
  if (slot >= slots_) return;
  Slot& mine = slot_[slot];
  std::size_t n = std::min(peer.size(), sizeof(mine.peer) - 1);
  if (n > 0) std::memcpy(mine.peer, peer.data(), n);
  mine.peer[n] = '\0';
  mine.id.store(id.value, std::memory_order_relaxed);
}

void PoisonFile::clear(unsigned slot) {
  if (slot >= slots_) return;
  slot_[slot].peer[0] = '\0';
  slot_[slot].id.store(0, std::memory_order_release);  // last: from here on it may be another thread's
}

void PoisonFile::forget(std::span<const QueueId> ids) {
  if (counted_.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(mutex_);
  std::size_t gone = 0;
  for (QueueId id : ids) gone += counts_.erase(id);
  if (gone == 0) return;
  counted_ = counts_.size();
  (void)write_counts();  // at worst an innocent is a suspect once more
}

Status PoisonFile::write_counts() {
  std::string text;
  for (const auto& [id, crashes] : counts_) text += id.text() + " " + std::to_string(crashes) + "\n";
  return write_durably(path_ + ".counts", text);
}

}  // namespace sidegate::queue
