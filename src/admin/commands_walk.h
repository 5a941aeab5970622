// The messages that a command is about, page by page. Private to the room.
#pragma once

#include <utility>
#include <vector>

#include "admin/commands.h"

namespace sidegate::admin {

// Ids one by one, or the whole queue page by page.
struct Commands::Walk {
  Selection selection;
  std::vector<QueueId> ids;
  bool by_id = false;
  std::size_t at = 0;
  QueueId after{};
  bool end = false;

  QueueId asked() const { return by_id && at < ids.size() ? ids[at] : QueueId{}; }  // by the next page; 0: by no id
  static Result<Walk> of(const Selection& selection) {
    auto ids = parse_ids(selection.ids);
    if (!ids) return std::unexpected(ids.error());
    return Walk{selection, std::move(*ids), !selection.ids.empty(), 0, {}, false};
  }
};

}  // namespace sidegate::admin
