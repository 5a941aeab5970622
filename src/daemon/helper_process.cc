#include "daemon/helper_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "helper/run.h"

namespace sidegate::daemon {

Result<pid_t> start_helper_at(int end) {
  pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno_error(errno, "starting the local delivery helper"));
  if (pid == 0) helper::run(end);  // closes every other descriptor
  return pid;
}

Result<HelperProcess> start_helper() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return std::unexpected(errno_error(errno, "a socket for the local delivery helper"));
  auto pid = start_helper_at(pair[1]);
  if (!pid) {
    close(pair[0]);
    close(pair[1]);
    return std::unexpected(pid.error());
  }
  return HelperProcess{*pid, pair[0], pair[1]};
}

}  // namespace sidegate::daemon
