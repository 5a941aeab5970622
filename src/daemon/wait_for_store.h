// A change written to the store by a thread that may wait for it (the queue loader's).
#pragma once

#include "queue/store.h"

namespace sidegate::daemon {

// False: it was not written within a few seconds; the store has trouble, and says so itself.
bool commit_and_wait(queue::Store& store, queue::Change change);

}  // namespace sidegate::daemon
