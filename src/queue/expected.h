// How many messages are being received at the moment: each is about to be committed. The commit thread waits for them a
// moment, so that they share a sync where the disk is quicker than the clients.
#pragma once

#include <atomic>
#include <utility>

namespace sidegate::queue {

class Expected {  // thread-safe
 public:
  // From MAIL to the answer. The count it belongs to outlives it.
  class Token {
   public:
    explicit Token(Expected& of) : of_(&of) { of.count_.fetch_add(1, std::memory_order_relaxed); }
    ~Token() {
      if (of_) of_->count_.fetch_sub(1, std::memory_order_relaxed);
    }
    Token(Token&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Token& operator=(Token&&) = delete;

   private:
    Expected* of_;
  };

  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> count_{0};
};

}  // namespace sidegate::queue
