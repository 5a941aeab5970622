// Landlock (Linux 5.13 and later): which files a process may still open, for good.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sidegate::daemon {

// The ABI in force; 0 where the kernel has no Landlock. Programs can no longer be run at all.
Result<int> restrict_files(const std::vector<std::string>& read, const std::vector<std::string>& write);

}  // namespace sidegate::daemon
