// The parent process: what must stay root, and reads nothing from any network. It holds the listening sockets, reads
// the configuration and the files it names, starts the server and starts it again when it dies, hands configurations
// over. One thread, one loop.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "daemon/channel.h"
#include "daemon/listeners.h"
#include "daemon/notify_socket.h"
#include "daemon/server_process.h"
#include "daemon/upgrade.h"

namespace sidegate::daemon {

// How long to wait before a server that died is started again. Pure.
class Restarts {
 public:
  // It died, having served for `served`. A server that lives for a minute starts the count anew.
  Duration after(Duration served);

 private:
  unsigned count_ = 0;
};

class Parent {
 public:
  // signals: a signalfd for TERM, INT, HUP, USR2 and CHLD. command: how we were started, for an upgrade.
  Parent(ServerInput input, int signals, CommandLine command);
  // Until the server has ended by SIGTERM or SIGINT, or could not start the first time. In the server's process it
  // returns too, when that ends: with its exit code.
  int run();

 private:
  enum class Step { kGoOn, kEnd };

  Step start_server();
  void start_helper();
  void start_helper_again();
  void helper_ended(int status);
  bool helper_is_missing() const { return server_ > 0 && helper_ < 0 && helper_end_ >= 0 && !stopping_; }
  int until_something_is_due() const;
  Step wait_for_events(int timeout);
  Step signalled();
  Step server_ended(int status);
  void noted();
  void reload();
  void look_at_files();
  void stop_server();
  void start_upgrade();
  Step new_binary_checked(int status);
  Step upgrade();
  void tend_service();
  void told_alive(std::string_view status);
  void say(LogLevel level, std::string_view event, LogFields fields);

  ServerInput input_;  // the configuration in force: what the next server starts with
  int signals_;
  std::unique_ptr<LogStyle> style_;
  Channel channel_;
  pid_t server_ = -1, helper_ = -1;
  int helper_end_ = -1;  // the helper's end of its socket: a next helper finds there what was asked
  SteadyTime started_{}, start_again_{};
  Restarts restarts_, helper_restarts_;
  SteadyTime helper_started_{}, helper_again_{};
  // What the configuration in force was read from; looked at again and again for certificates and passwords that
  // change.
  std::shared_ptr<const config::Files> files_;
  SteadyTime look_again_{};
  std::string renewal_problem_;  // of the last look; told when it is there twice
  bool problem_told_ = false;
  bool ever_ready_ = false, stopping_ = false;
  CommandLine command_;
  pid_t check_ = -1;  // looks whether the new binary takes the configuration
  bool upgrading_ = false;
  NotifySocket service_ = NotifySocket::of_environment();
  SteadyTime tend_again_{};
  bool serving_ = false;  // the server that runs now has said so
  bool asked_ = false;    // whether it is alive, and it has not answered yet
  int exit_code_ = 0;
};

}  // namespace sidegate::daemon
