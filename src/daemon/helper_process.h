// The helper's process: forked while there is one thread only and before anything is given up.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace sidegate::daemon {

struct HelperProcess {
  pid_t pid = -1;
  int socket = -1;  // helper::Client takes it
  int end = -1;     // the helper's own end, for the next one, should this one die
};
Result<HelperProcess> start_helper();
// Another one in the place of one that died: what was asked meanwhile waits in the socket.
Result<pid_t> start_helper_at(int end);

}  // namespace sidegate::daemon
