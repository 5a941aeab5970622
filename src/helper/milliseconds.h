#pragma once

#include <time.h>

#include <cstdint>

namespace sidegate::helper {

inline std::int64_t now_milliseconds() {  // of a clock that nobody sets
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace sidegate::helper
