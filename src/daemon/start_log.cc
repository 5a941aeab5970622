#include "daemon/start_log.h"

#include <sysexits.h>
#include <unistd.h>

#include <cstdlib>

#include "admin/postfix_log_style.h"

namespace sidegate::daemon {

std::unique_ptr<LogStyle> log_style(const config::Settings& settings) {
  // Under systemd the journal writes time and host itself.
  bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  switch (settings.log.style) {
    case config::LogStyleName::kPlain:
      return plain_log_style();
    case config::LogStyleName::kPostfix:
      return admin::postfix_log_style(journal ? "" : settings.hostname, getpid());
    case config::LogStyleName::kJson:
      return json_log_style();
  }
  return json_log_style();
}

LogLevel log_level(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kRefused:
      return EX_NOPERM;
    case ErrorKind::kBadInput:
    case ErrorKind::kNotFound:
      return EX_CONFIG;
    case ErrorKind::kConflict:
    case ErrorKind::kUnreachable:
      return EX_UNAVAILABLE;
    case ErrorKind::kNoSpace:
    case ErrorKind::kStorage:
      return EX_IOERR;
    default:
      return EX_OSERR;
  }
}

}  // namespace sidegate::daemon
