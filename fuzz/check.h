// What must hold in a fuzz target, in every build.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define SIDEGATE_CHECK(condition)                                                         \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)
