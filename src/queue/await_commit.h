// A change handed to the commit thread, waited for on the calling coroutine's own thread.
#pragma once

#include "net/stream.h"
#include "queue/store.h"

namespace sidegate::queue {

// store outlives the wait, and finishes what it was given before the loops are taken down.
net::Awaitable<Status> commit(Store& store, Change change);

}  // namespace sidegate::queue
