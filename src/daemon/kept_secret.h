// A secret that nobody gave us: made once, kept in a file that only we can read.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::daemon {

// 64 hex digits. kBadInput: there is a file, and it holds no secret (or is a link).
Result<std::string> kept_secret(const std::string& path);
std::string fresh_secret();

// Any small text of that kind (a key and its certificate): read, and written with mode 0600 under its name only when it
// is whole and on disk. No link is followed.
Result<std::string> kept_file(const std::string& path);
Status keep_file(const std::string& path, const std::string& text);

}  // namespace sidegate::daemon
