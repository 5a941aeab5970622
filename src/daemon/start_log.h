// The log of a configuration: its style and level, and an error's exit code. For both processes.
#pragma once

#include <memory>

#include "base/log.h"
#include "config/settings.h"

namespace sidegate::daemon {

std::unique_ptr<LogStyle> log_style(const config::Settings& settings);
LogLevel log_level(const std::string& name);
int exit_code(ErrorKind kind);  // sysexits

}  // namespace sidegate::daemon
