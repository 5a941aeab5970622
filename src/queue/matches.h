// Does a message pass a filter of `queue list`? Pure.
#pragma once

#include "queue/store.h"

namespace sidegate::queue {

bool matches(const Filter& filter, const Message& message);

}  // namespace sidegate::queue
