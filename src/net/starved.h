// For one test file of a room (it defines operator new for the whole program): allocations of this thread fail.
#pragma once

#include <cstdlib>
#include <new>

namespace sidegate::net {

// While it lives, the at-th allocation of this thread fails, and with `forever` all after it.
class Starved {
 public:
  explicit Starved(long at, bool forever) {
    left_ = at;
    forever_ = forever;
    failed_ = 0;
    armed_ = true;
  }
  ~Starved() { armed_ = false; }
  Starved(const Starved&) = delete;

  static long failures() { return failed_; }  // of the last one
  static bool next_fails() {
    if (!armed_ || !(left_ == 0 ? (failed_ == 0 || forever_) : --left_ == 0)) return false;
    ++failed_;
    return true;
  }

 private:
  static inline thread_local bool armed_ = false;
  static inline thread_local long left_ = 0;         // allocations until one fails
  static inline thread_local bool forever_ = false;  // and all after it
  static inline thread_local long failed_ = 0;
};

}  // namespace sidegate::net

void* operator new(std::size_t size) {
  void* place = sidegate::net::Starved::next_fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (place == nullptr) throw std::bad_alloc();
  return place;
}
void operator delete(void* place) noexcept {
  std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
  std::free(place);
}
