#include "child.h"

#include <unistd.h>

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <deque>

#include "messages.h"
#include "queue/rocksdb_store.h"

namespace sidegate::tests {
namespace {

class Child {
 public:
  Child(queue::Store& store, int fd) : store_(store), fd_(fd) {}

  void run(std::uint64_t first) {
    for (std::uint64_t n = first;; ++n) {
      wait_for_turn();
      if (is_streamed(n)) {
        stream(n);
      } else {
        accept(n, is_refused(n));
      }
      finish_some();
    }
  }

 private:
  static constexpr int kUnderWay = 24;

  void tell(char what, std::uint64_t n) {
    char record[kRecord] = {what};
    std::memcpy(record + 1, &n, 8);
    if (::write(fd_, record, kRecord) != kRecord) ::_exit(1);  // nobody listens
  }

  void wait_for_turn() {
    std::unique_lock lock(mutex_);
    turn_.wait(lock, [this] { return under_way_ < kUnderWay; });
    ++under_way_;
  }

  void commit(std::uint64_t n, queue::Accept accept) {
    store_.commit(std::move(accept), [this, n](Status status) {
      tell(status ? 'A' : 'R', n);
      std::lock_guard lock(mutex_);
      --under_way_;
      if (status && will_finish(n)) to_finish_.push_back(n);
      turn_.notify_one();
    });
  }

  void accept(std::uint64_t n, bool incomplete) {
    queue::Accept whole = message(n);
    if (incomplete) whole.first_chunk = 1;  // a chunk that never came
    commit(n, std::move(whole));
  }

  void stream(std::uint64_t n) {
    queue::Accept whole = message(n);
    store_.commit(queue::PutChunk{id_of(n), 0, 0, whole.body.substr(0, queue::kChunkSize)}, [](Status) {});
    whole.body.erase(0, queue::kChunkSize);
    whole.first_chunk = 1;
    commit(n, std::move(whole));
  }

  void finish_some() {
    std::deque<std::uint64_t> now;
    {
      std::lock_guard lock(mutex_);
      now.swap(to_finish_);
    }
    for (std::uint64_t n : now) {
      queue::Outcome outcome;
      outcome.id = id_of(n);
      outcome.finished = mix(n * 5) % 4 != 0;
      if (outcome.finished) {
        tell('F', n);
      } else {
        outcome.recipients.emplace_back().last_reply = "450 later";
        outcome.attempt.emplace();
      }
      store_.commit(std::move(outcome), [this, n, finished = outcome.finished](Status status) {
        if (status && finished) tell('E', n);
      });
    }
  }

  queue::Store& store_;
  int fd_;
  std::mutex mutex_;
  std::condition_variable turn_;
  int under_way_ = 0;
  std::deque<std::uint64_t> to_finish_;
};

}  // namespace

int run_child(const std::string& path, std::uint64_t first, int fd, bool sync) {
  queue::StoreSettings settings;
  settings.path = path;
  settings.ballast = 0;
  settings.min_free_space = 0;
  settings.sync = sync;
  auto store = queue::open_rocksdb_store(settings, system_clock(), null_log());
  if (!store) {
    fmt::print(stderr, "child: {}\n", store.error().text);
    return 1;
  }
  Child(**store, fd).run(first);
  return 0;
}

}  // namespace sidegate::tests
