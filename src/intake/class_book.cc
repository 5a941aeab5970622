#include "intake/class_book.h"

namespace sidegate::intake {

queue::ClassId ClassBook::find(queue::ClassKey key, std::vector<queue::ClassRow>& unsaved) {
  // Held across intern(): whoever gets a class as "not fresh" finds it noted here if it is not saved yet.
  std::lock_guard lock(mutex_);
  bool fresh = false;
  queue::ClassId id = scheduler_.intern(key, &fresh);
  if (fresh) unsaved_.insert(id);
  if (fresh || (!unsaved_.empty() && unsaved_.contains(id))) unsaved.push_back({id, std::move(key)});
  return id;
}

void ClassBook::saved(const std::vector<queue::ClassRow>& rows) {
  std::lock_guard lock(mutex_);
  for (const auto& row : rows) unsaved_.erase(row.id);
}

}  // namespace sidegate::intake
