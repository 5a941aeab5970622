// What is known of other domains' TLS, as people's tools see it: JSON objects with stable keys (doc/queue-commands.md).
// Pure, but for what reads the store while no server runs.
#pragma once

#include <functional>
#include <string>

#include "mta_sts/policies.h"
#include "queue/store.h"
#include "tlsrpt/report.h"

namespace sidegate::admin {

std::string sts_json(const mta_sts::Known& known, WallTime now);

// From the queue on disk; domain empty: all of them.
Result<std::string> show_sts_offline(queue::Store& store, const std::string& domain, WallTime now);
Result<std::string> report_tls_offline(queue::Store& store, const std::string& domain, WallTime now,
                                       const std::function<bool(std::string)>& on_row);

}  // namespace sidegate::admin
