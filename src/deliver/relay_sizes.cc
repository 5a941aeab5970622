#include "deliver/relay_sizes.h"

#include "base/text.h"

namespace sidegate::deliver {
namespace {
constexpr std::string_view kNotes = "relay_size/";
}

std::string RelaySizes::key_of(const RelaySettings& relay) {
  return fmt::format("{} {}", lower(relay.host), relay.port);
}

Status RelaySizes::load() {
  auto notes = store_.notes(std::string(kNotes));
  if (!notes) return std::unexpected(notes.error());
  const std::lock_guard lock(mutex_);
  for (const queue::Note& note : *notes) {
    if (auto size = parse_number(note.value)) sizes_[note.key.substr(kNotes.size())] = *size;
  }
  return {};
}

void RelaySizes::give(const Ways& ways) {
  const std::lock_guard lock(mutex_);
  for (const auto& way : ways.list) {
    if (way->retired || way->settings.protocol != Protocol::kSmtp || way->most_octets.load() != 0) continue;
    if (const auto at = sizes_.find(key_of(way->settings)); at != sizes_.end()) way->most_octets.store(at->second);
  }
}

void RelaySizes::learn(const Way& way) {
  if (way.settings.protocol != Protocol::kSmtp) return;
  const std::string key = key_of(way.settings);
  const std::uint64_t size = way.most_octets.load();
  const std::lock_guard lock(mutex_);
  if (const auto at = sizes_.find(key); size == 0 ? at == sizes_.end() : at != sizes_.end() && at->second == size)
    return;
  size == 0 ? void(sizes_.erase(key)) : void(sizes_[key] = size);
  store_.commit(queue::Note{std::string(kNotes) + key, size == 0 ? std::string() : std::to_string(size)},
                [](Status) {});
}

}  // namespace sidegate::deliver
