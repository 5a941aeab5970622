// `sidegate run`: the life of the process.
#pragma once

#include <string>

#include "config/load.h"

namespace sidegate::daemon {

// In the foreground until SIGTERM or SIGINT; SIGHUP reloads. Returns an exit code of sysexits(3).
// request: how the configuration was loaded, for reloads.
int run(const config::LoadRequest& request, config::Loaded loaded, const std::string& version);

}  // namespace sidegate::daemon
