// A secret that nobody gave us: made once, kept in a file that only we can read.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::daemon {

// 64 hex digits. kBadInput: there is a file, and it holds no secret (or is a link).
Result<std::string> kept_secret(const std::string& path);
std::string fresh_secret();

}  // namespace sidegate::daemon
