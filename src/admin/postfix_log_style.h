// The log as Postfix would write it, for tools that read Postfix's: pflogsumm, fail2ban, postfix_exporter, grep habits.
// Which event becomes which line: doc/log.md.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"

namespace sidegate::admin {

// "Nov 21 22:25:12 HOST postfix/smtp[PID]: ID: to=<...>, ..." in local time. With empty host, the syslog part (time and
// host) is left out, for journald and syslog, which add their own.
std::unique_ptr<LogStyle> postfix_log_style(std::string host, int pid);

}  // namespace sidegate::admin
