// Environment variables over the file: SIDEGATE_HOSTNAME, SIDEGATE_LOG_STYLE, SIDEGATE_RELAY_0_HOST; with _FILE behind
// it, the value is read from a file. A SIDEGATE_ variable that names no key is an error: a misspelt one must not be
// ignored.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/value.h"

namespace sidegate::config {

void read_environment(const LoadRequest& request, Tree& tree, Problems& problems);

// Not configuration, though it begins with SIDEGATE_: our own switches, and what Kubernetes sets for a Service of that
// name (SIDEGATE_SERVICE_HOST, SIDEGATE_PORT_25_TCP_ADDR, ...).
bool is_other_variable(std::string_view name);

}  // namespace sidegate::config
