#include "intake/user_rules.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::intake {

const UserRules& UserSettings::of(const std::string& user, bool program) const {
  auto exact = std::ranges::find_if(some, [&](const UserRules& rules) { return iequals(rules.name, user); });
  if (exact != some.end()) return *exact;
  auto fits = std::ranges::find_if(some, [&](const UserRules& rules) {  // "*@example.jp", or "*" for all
    return rules.name.starts_with('*') && user.size() >= rules.name.size() &&
           lower(user).ends_with(lower(rules.name.substr(1)));
  });
  // Names of this machine's users have no domain: patterns are about who logs in.
  if (fits != some.end() && !program) return *fits;
  return program ? programs : everybody;
}

}  // namespace sidegate::intake
