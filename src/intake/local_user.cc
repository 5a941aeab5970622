#include "intake/local_user.h"

#include <pwd.h>

#include <vector>

namespace sidegate::intake {

LocalUser local_user(unsigned uid) {
  LocalUser user{uid, "uid" + std::to_string(uid)};
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> space(16 * 1024);
  if (getpwuid_r(uid, &entry, space.data(), space.size(), &found) == 0 && found != nullptr) user.name = found->pw_name;
  return user;
}

}  // namespace sidegate::intake
