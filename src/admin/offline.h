// The queue read from disk while the server is down: list, show and what a change would do (dry run); nothing that
// changes it.
#pragma once

#include <functional>
#include <string>

#include "admin/protocol.h"
#include "admin/queue_rows.h"
#include "queue/store.h"

namespace sidegate::admin {

// Gives rows (JSON objects as text) as the server would, and returns the object of the end. kConflict: the command
// needs the server. on_row false: stop.
Result<std::string> read_offline(queue::Store& store, const Request& request, WallTime now,
                                 const std::function<bool(std::string)>& on_row, const SenderRule& rule = {});

}  // namespace sidegate::admin
