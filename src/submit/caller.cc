#include "submit/caller.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "base/text.h"

namespace sidegate::submit {

std::string full_name_of(std::string_view gecos, std::string_view name) {
  std::string full;
  for (char c : gecos.substr(0, gecos.find(','))) {
    if (c != '&') {
      full += c;
    } else if (!name.empty()) {
      full += ascii_upper(name[0]);
      full += name.substr(1);
    }
  }
  return std::string(trim(full));
}

Caller this_caller() {
  Caller caller;
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> space(16 * 1024);
  if (::getpwuid_r(::getuid(), &entry, space.data(), space.size(), &found) == 0 && found != nullptr) {
    caller.name = found->pw_name;
    caller.full_name = full_name_of(found->pw_gecos != nullptr ? found->pw_gecos : "", caller.name);
  } else {
    caller.name = "uid" + std::to_string(::getuid());
  }
  if (const char* chosen = std::getenv("NAME"); chosen != nullptr && *chosen != '\0') caller.full_name = chosen;
  return caller;
}

}  // namespace sidegate::submit
