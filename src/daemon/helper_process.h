// The helper's process: forked while there is one thread only and before anything is given up.
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace sidegate::daemon {

struct HelperProcess {
  pid_t pid = -1;
  int socket = -1;  // helper::Client takes it
};
Result<HelperProcess> start_helper();

}  // namespace sidegate::daemon
