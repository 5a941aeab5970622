#include "queue/strays.h"

#include <algorithm>

namespace sidegate::queue {
namespace {

bool contains(std::span<const ClassId> list, ClassId id) {
  return std::ranges::find(list, id) != list.end();
}

}  // namespace

std::optional<Stray> stray_of(const Message& message, std::span<const RecipientRow> recipients,
                              std::span<const ClassId> due) {
  Stray stray;
  stray.id = message.id;
  bool pending = false;
  auto row = recipients.begin();  // by number; absent where nothing has happened yet
  for (std::uint32_t n = 0; n < message.classes.size(); ++n) {
    while (row != recipients.end() && row->n < n) ++row;
    const bool tried = row != recipients.end() && row->n == n;
    if (tried && row->state != RecipientState::kPending) continue;
    pending = true;
    const ClassId id = message.classes[n];
    if (contains(due, id)) continue;
    if (!contains(stray.missing, id)) stray.missing.push_back(id);
    if (tried) stray.attempts = std::max(stray.attempts, row->attempts);
  }
  stray.ended = !pending && due.empty();
  if (!stray.ended && stray.missing.empty()) return std::nullopt;
  return stray;
}

}  // namespace sidegate::queue
