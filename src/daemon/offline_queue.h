// One change to the queue on disk while no server runs, made as the user whom the queue's directory belongs to: what
// root wrote there, the service could not change.
#pragma once

#include <functional>

#include "base/result.h"
#include "queue/store.h"

namespace sidegate::daemon {

// change: called in a child process, with the opened store. kConflict: a server has it open. Durable when it is well.
// Before any thread starts.
Status change_queue(const queue::StoreSettings& settings,
                    const std::function<Result<queue::Change>(queue::Store&)>& change);

}  // namespace sidegate::daemon
