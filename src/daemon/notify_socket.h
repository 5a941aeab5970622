// What systemd is told, and whoever else starts services that way (sd_notify(3)): datagrams of "KEY=value" lines to the
// socket named in $NOTIFY_SOCKET. Without that variable nothing happens.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace sidegate::daemon {

class NotifySocket {
 public:
  NotifySocket() = default;
  NotifySocket(std::string path, Duration watchdog) : path_(std::move(path)), watchdog_(watchdog) {}
  // $NOTIFY_SOCKET; $WATCHDOG_USEC, where $WATCHDOG_PID is this process.
  static NotifySocket of_environment();

  bool there() const { return !path_.empty(); }
  // How often to say that we live: a third of what the service manager waits for, and at least every ten seconds, for
  // the sake of the status line.
  Duration interval() const;

  Status ready(std::string_view status) const;
  Status reloading(std::string_view status) const;
  Status stopping(std::string_view status) const;
  Status alive(std::string_view status) const;

  // One line for STATUS=: no octet of it ends it or begins another variable.
  static std::string status_line(std::string_view text);

 private:
  Status send(const std::string& text) const;

  std::string path_;  // begins with '@' where the name is an abstract one
  Duration watchdog_{0};
};

}  // namespace sidegate::daemon
