#include "milter/health.h"

#include <algorithm>

namespace sidegate::milter {

const char* name(At at) {
  switch (at) {
    case At::kConnect:
      return "CONNECT";
    case At::kHelo:
      return "EHLO";
    case At::kMail:
      return "MAIL";
    case At::kRcpt:
      return "RCPT";
    case At::kData:
      return "DATA";
    case At::kContent:
      return "END-OF-MESSAGE";
    case At::kUnknown:
      return "UNKNOWN";
  }
  return "";
}

void Health::failed(const Settings& settings, At at, const std::string& reason) {
  std::lock_guard lock(mutex_);
  auto row = std::ranges::find(rows_, settings.name, &Row::name);
  if (row == rows_.end()) {
    rows_.push_back({settings.name, {}, {}, {}, at, clock_.wall(), 0});
    row = rows_.end() - 1;
    down_ = rows_.size();
  }
  row->address = settings.address.text();
  row->on_failure = settings.on_failure;
  row->reason = reason;
  row->at = at;
  ++row->times;
}

void Health::clear(const Settings& settings, At at) {
  std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&](const Row& row) { return row.name == settings.name && at >= row.at; });
  down_ = rows_.size();
}

std::vector<Health::Row> Health::down() const {
  std::lock_guard lock(mutex_);
  return rows_;
}

void Health::keep_only(const std::vector<std::string>& names) {
  std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&](const Row& row) { return std::ranges::find(names, row.name) == names.end(); });
  down_ = rows_.size();
}

}  // namespace sidegate::milter
