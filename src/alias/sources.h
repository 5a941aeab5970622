// What resolving asks of the machine. Implemented above (from files, or by way of the helper process); may block, so it
// is called on the worker pool; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sidegate::alias {

struct User {
  std::string name;  // as the system spells it
  unsigned uid = 0;
  std::string home;
};

class Sources {
 public:
  virtual ~Sources() = default;
  // Nothing: there is no such user. An error: it cannot be told now (a directory server is away).
  virtual Result<std::optional<User>> find_user(const std::string& name) = 0;
  // What ~/.forward says, or with a tag ~/.forward+TAG where there is one; nothing: there is none. kRefused, kBadInput,
  // kTooLarge: there is one that may not be believed (not the user's, writable by others, a link): as if there were
  // none, and told. Any other error: not now.
  virtual Result<std::optional<std::string>> read_forward(const User& user, const std::string& tag) = 0;
  // A regular file, no link at its end, not writable by others, owned by root, the service or `owner` (of the alias
  // file that names it).
  virtual Result<std::string> read_include(const std::string& path, unsigned owner) = 0;
};

}  // namespace sidegate::alias
