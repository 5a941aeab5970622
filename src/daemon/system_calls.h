// seccomp: which system calls the server may still make, for good.
#pragma once

#include "base/result.h"

namespace sidegate::daemon {

// What is not on the list fails with ENOSYS: no program is run, no identity changed, nothing mounted, traced or loaded,
// no socket but of the Internet, Unix and netlink (the resolver's) families. False: the kernel has no seccomp filters.
Result<bool> restrict_system_calls();

}  // namespace sidegate::daemon
