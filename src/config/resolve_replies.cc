// What is wrong in the [[reply]] blocks taken together with the rest.
#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"

namespace sidegate::config {

void check_replies(Draft& draft) {
  const deliver::DeliverSettings& settings = draft.loaded.settings.deliver;
  for (std::size_t i = 0; i < settings.replies.size(); ++i) {
    const deliver::ReplyRule& rule = settings.replies[i];
    if (rule.code.empty() && rule.status.empty() && rule.text.empty())
      draft.error(draft.where("reply", i, "meaning"), _("[[reply]] fits every reply"),
                  _("add text = \"...\", code or status"));
    for (const std::string& way : rule.ways) {
      const auto same = [&](const deliver::RelaySettings& relay) { return iequals(relay.name, way); };
      if (!std::ranges::any_of(settings.relays, same))
        draft.warn(draft.where("reply", i, "way"), tr("[[reply]]: no relay is called {}", quoted(way)),
                   _("it counts for nothing until there is one"));
    }
  }
}

}  // namespace sidegate::config
