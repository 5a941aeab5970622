// One relay while it is resolved, and how to speak of it. Internal to the room.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>

#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"

namespace sidegate::config {

struct Subject {
  Draft& draft;
  std::size_t index;
  RelayBlock& relay;

  std::string title() const {
    return relay.name.empty() ? fmt::format("[[relay]] {}", index) : tr("relay {}", quoted(relay.name));
  }
  bool given(std::string_view key) const { return draft.given("relay", index, key); }
  // One of these was given, and could not be read: that is told already.
  bool unread(std::initializer_list<std::string_view> keys) const {
    return std::ranges::any_of(
        keys, [&](std::string_view key) { return draft.unread.contains(key_path(table("relay"), index, key)); });
  }
  Where where(std::string_view key) const { return draft.where("relay", index, key); }
  void error(std::string_view key, const std::string& what, std::string next = {}) const {
    draft.error(where(key), fmt::format("{}: {}", title(), what), std::move(next));
  }
  void warn(std::string_view key, const std::string& what, std::string next = {}) const {
    draft.warn(where(key), fmt::format("{}: {}", title(), what), std::move(next));
  }
};

}  // namespace sidegate::config
