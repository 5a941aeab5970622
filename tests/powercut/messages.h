// The messages of the harness: all of their content follows from their number.
#pragma once

#include <cstdint>

#include "queue/store.h"

namespace sidegate::tests {

std::uint64_t mix(std::uint64_t v);  // a fixed scrambling of 64 bits
QueueId id_of(std::uint64_t n);
std::uint64_t number_of(QueueId id);
queue::Accept message(std::uint64_t n);  // whole
bool is_streamed(std::uint64_t n);       // goes in by chunks
bool is_refused(std::uint64_t n);        // its chunks are incomplete: the store must refuse it
bool will_finish(std::uint64_t n);       // its outcome follows at once

// What is in the store under this number: 'W'hole, 'A'bsent, 'D'amaged.
char look(queue::Store& store, std::uint64_t n);

}  // namespace sidegate::tests
