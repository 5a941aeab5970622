#include "queue/class_table.h"

#include <algorithm>

namespace sidegate::queue {
namespace {

constexpr char kRequiredMark = '\1', kOptionalMark = '\2';  // behind the domain, which holds no such octets

constexpr std::int64_t kForgetAfter = 60 * 60 * 1000;  // milliseconds

std::uint64_t hash_of(std::string_view text) {
  return FlatIndex::mix(std::hash<std::string_view>{}(text));
}

std::string join(const ClassKey& key) {
  std::string joined;
  joined.reserve(key.recipient_domain.size() + key.sender_key.size() + key.user.size() + key.listener.size() + 3);
  joined.append(key.recipient_domain);
  if (key.tls != mail::TlsDemand::kUsual)
    joined += key.tls == mail::TlsDemand::kRequired ? kRequiredMark : kOptionalMark;
  joined.push_back('\0');
  joined.append(key.sender_key).push_back('\0');
  joined.append(key.user).push_back('\0');
  joined.append(key.listener);
  // Where nobody logged in the sender is the second part already.
  if (!key.user.empty()) joined.append(1, '\0').append(key.sender);
  return joined;
}

ClassKey split(std::string_view joined) {
  ClassKey key;
  for (std::string* part : {&key.recipient_domain, &key.sender_key, &key.user, &key.listener}) {
    const std::size_t end = std::min(joined.find('\0'), joined.size());
    part->assign(joined.substr(0, end));
    joined.remove_prefix(std::min(end + 1, joined.size()));
  }
  key.sender = key.user.empty() ? key.sender_key : std::string(joined);
  const char last = key.recipient_domain.empty() ? '\0' : key.recipient_domain.back();
  if (last != kRequiredMark && last != kOptionalMark) return key;
  key.tls = last == kRequiredMark ? mail::TlsDemand::kRequired : mail::TlsDemand::kOptional;
  key.recipient_domain.pop_back();
  return key;
}

std::string_view sender_part(std::string_view joined) {
  const std::size_t start = std::min(joined.find('\0'), joined.size() - 1) + 1;
  return joined.substr(start, joined.find('\0', start) - start);
}

}  // namespace

const Route* ClassTable::route(std::string_view key) {
  const ClassKey parts = split(key);
  Route ways = router_ ? router_(parts) : Route{};
  std::erase_if(ways, [this](WayId way) { return way >= ways_; });
  families_.expand(ways, member_name(parts.recipient_domain, parts.tls));
  const auto [at, fresh] = routes_.try_emplace(std::move(ways));
  if (fresh) families_.use(at->first);
  ++at->second;
  return &at->first;  // a map's keys stay where they are
}

void ClassTable::leave(const Route* route) {
  const auto at = routes_.find(*route);
  if (--at->second > 0) return;
  families_.leave(at->first);
  routes_.erase(at);
}

void ClassTable::set_router(Router router, std::size_t ways) {
  router_ = std::move(router);
  ways_ = ways;
  std::map<Route, std::uint32_t> old;
  old.swap(routes_);
  for (Class& one : classes_) {
    if (one.id != 0) one.route = route(one.key);
  }
  for (const auto& [route, unused] : old) families_.leave(route);  // now: who is in both keeps what is known of it
}

std::uint32_t ClassTable::take_sender(std::string_view key) {
  const std::uint64_t hash = hash_of(key);
  std::uint32_t slot = senders_by_key_.find(hash, [&](std::uint32_t at) { return senders_[at].key == key; });
  if (slot == kNone) {
    if (free_senders_.empty()) {
      slot = static_cast<std::uint32_t>(senders_.size());
      senders_.emplace_back();
    } else {
      slot = free_senders_.back();
      free_senders_.pop_back();
    }
    senders_[slot].key = key;
    senders_by_key_.insert(hash, slot, [this](std::uint32_t at) { return hash_of(senders_[at].key); });
    text_octets_ += key.size();
  }
  ++senders_[slot].classes;
  return slot;
}

void ClassTable::give_sender(std::uint32_t slot) {
  Sender& sender = senders_[slot];
  if (--sender.classes > 0) return;
  senders_by_key_.erase(hash_of(sender.key), slot, [this](std::uint32_t at) { return hash_of(senders_[at].key); });
  text_octets_ -= sender.key.size();
  std::string().swap(sender.key);
  free_senders_.push_back(slot);
}

std::uint32_t ClassTable::make(ClassId id, std::string key) {
  std::uint32_t slot;
  if (free_classes_.empty()) {
    slot = static_cast<std::uint32_t>(classes_.size());
    classes_.emplace_back();
  } else {
    slot = free_classes_.back();
    free_classes_.pop_back();
  }
  Class& one = classes_[slot];
  one = Class{};
  one.id = id;
  one.sender = take_sender(sender_part(key));
  one.route = route(key);
  text_octets_ += key.size();
  by_key_.insert(hash_of(key), slot, [this](std::uint32_t at) { return hash_of(classes_[at].key); });
  one.key = std::move(key);
  by_id_.emplace(id, slot);
  last_id_ = std::max(last_id_, id);
  return slot;
}

std::uint32_t ClassTable::intern(const ClassKey& key) {
  std::string joined = join(key);
  const std::uint32_t slot =
      by_key_.find(hash_of(joined), [&](std::uint32_t at) { return classes_[at].key == joined; });
  return slot != kNone ? slot : make(last_id_ + 1, std::move(joined));
}

std::uint32_t ClassTable::restore(ClassId id, const ClassKey& key) {
  const auto known = by_id_.find(id);
  const std::uint32_t slot = known == by_id_.end() ? make(id, join(key)) : known->second;
  classes_[slot].stored = true;
  return slot;
}

std::uint32_t ClassTable::slot(ClassId id) {
  const auto known = by_id_.find(id);
  return known == by_id_.end() ? make(id, join(ClassKey{})) : known->second;
}

void ClassTable::forget(std::uint32_t slot) {
  Class& one = classes_[slot];
  by_key_.erase(hash_of(one.key), slot, [this](std::uint32_t at) { return hash_of(classes_[at].key); });
  by_id_.erase(one.id);
  give_sender(one.sender);
  leave(one.route);
  text_octets_ -= one.key.size();
  one = Class{};
  free_classes_.push_back(slot);
}

void ClassTable::sweep(std::int64_t now, unsigned how_many) {
  for (unsigned i = 0; i < how_many && !classes_.empty(); ++i) {
    if (sweep_at_ >= classes_.size()) sweep_at_ = 0;
    const Class& one = classes_[sweep_at_];
    if (one.id != 0 && one.entries == 0 && now - one.last_use > kForgetAfter) forget(sweep_at_);
    ++sweep_at_;
  }
}

std::size_t ClassTable::memory() const {
  return classes_.capacity() * sizeof(Class) + senders_.capacity() * sizeof(Sender) + text_octets_ +
         (free_classes_.capacity() + free_senders_.capacity()) * sizeof(std::uint32_t) +
         by_id_.size() * 4 * sizeof(void*) + routes_.size() * 12 * sizeof(void*) + by_key_.memory() +
         senders_by_key_.memory();
}

}  // namespace sidegate::queue
