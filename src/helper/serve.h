// One request, in a process of its own.
#pragma once

#include "helper/identity.h"

namespace sidegate::helper {

// Does what is asked and writes the answer to `socket`. The exit code of the process.
int serve(const Request& request, int socket);

}  // namespace sidegate::helper
