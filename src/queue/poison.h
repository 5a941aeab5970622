// Which message kills the process? A small mapped file lists what is in hand, one slot a worker; a killed process
// leaves it in the page cache. Opening adds one to each id found there: those are tried one at a time, and the third
// crash inside one message holds it. Setting and clearing a slot are plain stores: no system call, no lock.
//
//   header, 64 octets: "sidegate poison 1\n", boot id; then a slot of 64 octets each: id 8 (0: free), peer 48
//   `poison.counts` beside it: "ID COUNT\n" a line, written anew and synced at opening and by forget()
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/queue_id.h"
#include "base/result.h"

namespace sidegate::queue {

class PoisonFile {
 public:
  struct Suspect {
    QueueId id;  // 0: intake had no id yet; `peer` tells who it was
    unsigned crashes = 0;
    std::string peer;
    bool hold() const { return crashes >= 3; }
  };

  // Reads what a former process left, counts it durably, and begins with empty slots. A file left by another boot
  // counts for nothing: a power cut is no message's fault. Damaged files are begun anew.
  static Result<std::unique_ptr<PoisonFile>> open(const std::string& path, unsigned slots);
  ~PoisonFile();
  PoisonFile(const PoisonFile&) = delete;

  // What was in hand at the last crash, or is counted from earlier ones and not yet ended.
  const std::vector<Suspect>& suspects() const { return suspects_; }

  // One thread a slot at a time. Slots beyond those there are are ignored.
  void set(unsigned slot, QueueId id, std::string_view peer = {});
  void clear(unsigned slot);
  unsigned slots() const { return slots_; }
  // A free slot for what comes and goes (InHand); slots() where none is free.
  unsigned enter(QueueId id, std::string_view peer);
  // An orderly end of the process is no crash: empty from here on, whatever is still in hand.
  void end();

  // The messages ended well, or are held and reported: their counts go. Cheap where they have none; else it writes.
  void forget(std::span<const QueueId> ids);
  void forget(QueueId id) { forget(std::span(&id, 1)); }

 private:
  struct Slot {
    std::atomic<std::uint64_t> id;
    char peer[48];
    char unused[8];
  };
  static_assert(sizeof(Slot) == 64);
  PoisonFile() = default;
  std::vector<Suspect> read_slots(int fd) const;
  Status write_counts();

  std::string path_;
  unsigned slots_ = 0;
  void* map_ = nullptr;
  std::size_t map_size_ = 0;
  Slot* slot_ = nullptr;
  std::vector<Suspect> suspects_;
  std::mutex mutex_;
  std::map<QueueId, unsigned> counts_;
  std::atomic<std::size_t> counted_{0};
  std::atomic<bool> ended_{false};
};

// "This thread works on this message": from its making to its end. Without a file it does nothing.
class InHand {
 public:
  InHand() = default;
  InHand(PoisonFile* file, QueueId id, std::string_view peer)
      : file_(file), slot_(file != nullptr ? file->enter(id, peer) : 0) {}
  InHand(InHand&& other) noexcept : file_(std::exchange(other.file_, nullptr)), slot_(other.slot_) {}
  InHand& operator=(InHand&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~InHand() {
    if (file_ != nullptr) file_->clear(slot_);
  }

 private:
  PoisonFile* file_ = nullptr;
  unsigned slot_ = 0;
};

}  // namespace sidegate::queue
