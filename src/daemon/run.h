// `sidegate run`: the life of the process.
#pragma once

#include <string>

namespace sidegate::daemon {

// In the foreground until SIGTERM or SIGINT; SIGHUP reloads. Returns an exit code of sysexits(3).
int run(const std::string& config_path);

}  // namespace sidegate::daemon
