// A value that many threads read and a reload replaces.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

namespace sidegate {

template <typename T>
class Replaceable {  // thread-safe
 public:
  // What is in force now, for as long as the caller keeps it; null: nothing, which costs no lock.
  std::shared_ptr<T> get() const {
    if (!some_.load(std::memory_order_acquire)) return nullptr;
    std::lock_guard lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<T> value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    some_.store(value_ != nullptr, std::memory_order_release);
  }

 private:
  std::atomic<bool> some_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<T> value_;
};

}  // namespace sidegate
