// Messages that no schedule would bring to their end: a crash came between the last outcome of a message with several
// classes and its removal, or a due row is missing. Start-up looks for them (doc/queue.md, "Start-up"). Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "queue/records.h"

namespace sidegate::queue {

struct Stray {
  QueueId id;
  bool ended = false;            // every recipient is: only the removal is missing
  std::vector<ClassId> missing;  // classes with a pending recipient and no due row
  std::uint16_t attempts = 0;    // the most that one of these recipients has seen
};

// What is wrong with a message, given all its rows of one moment; nullopt: nothing.
std::optional<Stray> stray_of(const Message& message, std::span<const RecipientRow> recipients,
                              std::span<const ClassId> due);

}  // namespace sidegate::queue
