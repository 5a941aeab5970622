// What can be said of this machine, its queue and the running server without asking anybody outside: whole for
// `doctor`, in short for `status`.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "admin/protocol.h"
#include "config/settings.h"
#include "doctor/judge_machine.h"

namespace sidegate::cli {

// Certificates, where root's mail goes, disk and clock. Reads files, with the rights of who asks.
doctor::Findings machine_findings(const config::Settings& settings, WallTime now);

// The request whose only row is the oldest message, and what that row says of the queue.
admin::Request oldest_message();
void take_oldest(doctor::QueueSeen& seen, const std::string& row, WallTime now);

// What the running server knows to be wrong, from its answer to `status`: the store, ways and filters that are down,
// limits that are reached, users who may not send. Pure.
doctor::Findings server_findings(const boost::json::object& status);

}  // namespace sidegate::cli
