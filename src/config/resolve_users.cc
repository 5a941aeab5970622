// What is wrong or unwise in what users may do.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/resolve.h"

namespace sidegate::config {
void check_users(Draft& draft) {
  const auto& some = draft.loaded.settings.users.some;
  for (std::size_t i = 0; i < some.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool twice = iequals(some[i].name, some[j].name);
      const bool covered = some[i].name.starts_with('*') && intake::fits_pattern(some[j].name, some[i].name);
      if (some[i].name.empty() || (!twice && !covered)) continue;
      draft.error(draft.where("user_rule", i, "name"),
                  twice ? tr("[[user_rule]] {} is there twice", quoted(some[i].name))
                        : tr("[[user_rule]] {} never counts: {} before it fits all that it fits", quoted(some[i].name),
                             quoted(some[j].name)),
                  twice ? _("remove one of them") : _("put it before the other"));
      break;
    }
  }
}

}  // namespace sidegate::config
