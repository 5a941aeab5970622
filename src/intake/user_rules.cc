#include "intake/user_rules.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::intake {

const UserRules& UserSettings::of(const std::string& user, bool program) const {
  auto exact = std::ranges::find_if(some, [&](const UserRules& rules) { return iequals(rules.name, user); });
  if (exact != some.end()) return *exact;
  // Names of this machine's users have no domain: patterns are about who logs in.
  if (program) return programs;
  auto fits = std::ranges::find_if(some, [&](const UserRules& rules) { return fits_pattern(rules.name, user); });
  return fits != some.end() ? *fits : everybody;
}

}  // namespace sidegate::intake
