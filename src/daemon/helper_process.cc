#include "daemon/helper_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "helper/run.h"

namespace sidegate::daemon {

Result<HelperProcess> start_helper() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return std::unexpected(errno_error(errno, "a socket for the local delivery helper"));
  pid_t pid = fork();
  if (pid < 0) {
    int code = errno;
    close(pair[0]);
    close(pair[1]);
    return std::unexpected(errno_error(code, "starting the local delivery helper"));
  }
  if (pid == 0) {
    close(pair[0]);
    helper::run(pair[1]);
  }
  close(pair[1]);
  return HelperProcess{pid, pair[0]};
}

}  // namespace sidegate::daemon
