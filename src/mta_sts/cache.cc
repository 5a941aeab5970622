#include "mta_sts/cache.h"

#include <algorithm>

#include "base/octets.h"
#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::mta_sts {
namespace {

constexpr std::uint64_t kRowVersion = 1;
constexpr auto kRefresh = std::chrono::hours(24);
constexpr auto kLongUnused = std::chrono::days(30);
constexpr auto kTouchEvery = std::chrono::hours(24);

std::uint64_t milliseconds(WallTime at) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(at.time_since_epoch().count(), 0));
}

}  // namespace

WallTime Entry::refresh_at() const {
  return fetched + std::min<Duration>(kRefresh, policy->max_age / 2);
}

std::string encode(const Entry& entry) {
  std::string out;
  OctetWriter write(out);
  write.number(kRowVersion);
  write.number(static_cast<std::uint64_t>(entry.policy->mode));
  write.number(static_cast<std::uint64_t>(entry.policy->max_age.count()));
  write.number(milliseconds(entry.fetched));
  write.number(milliseconds(entry.used));
  write.string(entry.id);
  write.number(entry.policy->mx.size());
  for (const std::string& pattern : entry.policy->mx) write.string(pattern);
  return out;
}

// What is read goes the way of what comes from outside: nothing that no policy could say is taken.
std::optional<Entry> decode(std::string_view row) {
  OctetReader read(row);
  if (read.number() != kRowVersion) return std::nullopt;
  Entry entry;
  Policy policy;
  const std::uint64_t mode = read.number(), age = read.number(), fetched = read.number(), used = read.number();
  constexpr std::uint64_t kLatest = std::uint64_t(1) << 52;
  if (mode > static_cast<std::uint64_t>(Mode::kEnforce) || age > static_cast<std::uint64_t>(kLongestAge.count()) ||
      fetched > kLatest || used > kLatest)
    return std::nullopt;
  entry.fetched = WallTime(Duration(static_cast<std::int64_t>(fetched)));
  entry.used = WallTime(Duration(static_cast<std::int64_t>(used)));
  entry.id = read.string();
  std::string text = fmt::format("version: STSv1\nmode: {}\nmax_age: {}\n", name(static_cast<Mode>(mode)), age);
  for (std::size_t left = read.count(); left > 0 && read.ok(); --left) text += "mx: " + read.string() + "\n";
  auto parsed = parse_policy(text);
  if (!read.done() || !parsed || entry.id.size() > 32 || !is_ascii(entry.id)) return std::nullopt;
  entry.policy = std::make_shared<const Policy>(std::move(*parsed));
  return entry;
}

std::size_t Cache::octets_of(const std::string& domain, const Entry& entry) {
  std::size_t octets = 200 + domain.size() + entry.id.size();
  for (const std::string& pattern : entry.policy->mx) octets += sizeof(std::string) + pattern.size();
  return octets;
}

const Entry* Cache::find(const std::string& domain, WallTime now) const {
  const auto at = entries_.find(domain);
  return at == entries_.end() || at->second.expires() <= now ? nullptr : &at->second;
}

void Cache::put(const std::string& domain, Entry entry) {
  drop(domain);
  octets_ += octets_of(domain, entry);
  entries_.insert_or_assign(domain, std::move(entry));
  changed_[domain] = true;
  make_room();
}

void Cache::touch(const std::string& domain, WallTime now) {
  const auto at = entries_.find(domain);
  if (at == entries_.end() || (now >= at->second.used && now - at->second.used < kTouchEvery)) return;
  at->second.used = now;
  changed_[domain] = true;
}

void Cache::drop(const std::string& domain) {
  const auto at = entries_.find(domain);
  if (at == entries_.end()) return;
  octets_ -= octets_of(domain, at->second);
  entries_.erase(at);
  changed_[domain] = true;
}

void Cache::drop_expired(WallTime now) {
  std::vector<std::string> gone;
  for (const auto& [domain, entry] : entries_) {
    if (entry.expires() <= now) gone.push_back(domain);
  }
  for (const std::string& domain : gone) drop(domain);
}

// A tenth at a time, so that a full cache is not sorted for each newcomer.
void Cache::make_room() {
  if (entries_.size() <= most_entries_ && octets_ <= most_octets_) return;
  std::vector<std::pair<WallTime, std::string>> by_use;
  for (const auto& [domain, entry] : entries_) by_use.emplace_back(entry.used, domain);
  std::ranges::sort(by_use);
  const std::size_t entries = most_entries_ - most_entries_ / 10, octets = most_octets_ - most_octets_ / 10;
  for (const auto& [used, domain] : by_use) {
    if (entries_.size() <= entries && octets_ <= octets) return;
    drop(domain);
  }
}

std::vector<std::string> Cache::due(WallTime now, std::size_t n) const {
  std::vector<std::string> out;
  for (const auto& [domain, entry] : entries_) {
    if (out.size() >= n) break;
    if (entry.refresh_at() <= now && now < entry.expires() && now - entry.used < kLongUnused) out.push_back(domain);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Cache::take_changes() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [domain, is_changed] : changed_) {
    const auto at = entries_.find(domain);
    out.emplace_back(domain, at == entries_.end() ? std::string() : encode(at->second));
  }
  changed_.clear();
  return out;
}

bool Cache::restore(const std::string& domain, std::string_view row, WallTime now) {
  auto entry = decode(row);
  if (!entry || !mail::is_domain(domain, false) || domain != lower(domain)) return false;
  // The clock went back meanwhile: as if it had been fetched now, so that it does not count for longer than it says.
  entry->fetched = std::min(entry->fetched, now);
  entry->used = std::min(entry->used, now);
  if (entry->expires() <= now) return false;
  put(domain, std::move(*entry));
  changed_.erase(domain);
  return true;
}

}  // namespace sidegate::mta_sts
