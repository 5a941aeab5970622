// The [[blocklist]] blocks: each is a list that can be asked.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/resolve.h"
#include "screen/blocklist.h"

namespace sidegate::config {

void resolve_blocklists(Draft& draft) {
  const auto& lists = draft.loaded.settings.blocklists;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (lists[i].zone.empty()) continue;  // told of already: it must be given
    auto list = screen::BlockList::make(lists[i]);
    if (!list) {
      draft.error(draft.where("blocklist", i, "zone"), tr("blocklist: {}", list.error().text));
      continue;
    }
    for (std::size_t j = 0; j < i; ++j) {
      auto other = screen::BlockList::make(lists[j]);
      // The same zone twice, with other answers, is how one gives them other weights.
      if (other && other->zone == list->zone && other->answers.empty() && list->answers.empty())
        draft.error(draft.where("blocklist", i, "zone"), tr("[[blocklist]] {} is there twice", quoted(list->zone)),
                    _("remove one of them"));
    }
  }
  bool asked = false;
  for (const intake::ListenerSettings& l : draft.loaded.settings.listeners) asked |= l.screen.blocklists;
  if (!lists.empty() && !asked)
    draft.warn(draft.where("blocklist", 0, "zone"), _("[[blocklist]] has no effect: no listener asks block lists"),
               _("write profile = \"smtp\" or blocklists = true into the [[listener]] that the world comes to"));
}

}  // namespace sidegate::config
