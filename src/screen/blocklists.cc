#include "screen/blocklists.h"

#include "dns/reverse.h"

namespace sidegate::screen {
namespace {

constexpr unsigned kSilences = 5;  // in a row, then a list rests
constexpr Duration kRest{60'000};
constexpr Duration kTellAgain{24 * 3600'000};
constexpr std::size_t kLongestText = 200;

// What a stranger wrote, to stand in a reply.
std::string reply_text(const std::vector<std::string>& texts) {
  std::string out;
  for (char c : texts.empty() ? std::string() : texts.front()) {
    out += static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f ? c : '?';
    if (out.size() == kLongestText) break;
  }
  return out;
}

}  // namespace

bool BlockLists::rests(const BlockList& list) {
  std::lock_guard lock(mutex_);
  return clock_.steady() < health_[&list].rests_until;
}

void BlockLists::answered(const BlockList& list) {
  std::lock_guard lock(mutex_);
  health_[&list].silent = 0;
}

bool BlockLists::may_tell(Health& health) {
  const SteadyTime now = clock_.steady();
  if (health.told_until != SteadyTime() && now < health.told_until) return false;
  health.told_until = now + kTellAgain;
  return true;
}

void BlockLists::was_silent(const BlockList& list, const Error& error) {
  bool told = false;
  {
    std::lock_guard lock(mutex_);
    Health& health = health_[&list];
    if (++health.silent < kSilences) return;
    health.silent = kSilences - 1;  // one more question after the rest, and it rests again
    health.rests_until = clock_.steady() + kRest;
    told = may_tell(health);
  }
  if (told)
    log_.warning("blocklist_silent", {{"blocklist", list.name},
                                      {"reason", error.text},
                                      {"next", "it is left out for a minute at a time, and lists nobody meanwhile"}});
}

void BlockLists::tell(const BlockList& list, const char* trouble, std::string_view detail) {
  {
    std::lock_guard lock(mutex_);
    if (!may_tell(health_[&list])) return;
  }
  log_.warning("blocklist_unusable", {{"blocklist", list.name}, {"reason", trouble}, {"next", detail}});
}

net::Awaitable<Listing> BlockLists::ask(Asker& asker, net::Loop& loop, const BlockList& list, std::string address,
                                        Duration limit) {
  Listing listing;
  listing.list = &list;
  auto name = dns::reverse_name(address, list.zone);
  if (!name || rests(list)) co_return listing;
  const SteadyTime end = loop.clock().steady() + limit;
  std::string asked = *name;
  Found found = co_await asker.records(loop, std::move(asked), dns::RecordType::kA, limit);
  if (!found && !is_absent(found)) {
    if (found.error().kind != ErrorKind::kOverload) was_silent(list, found.error());
    co_return listing;
  }
  answered(list);
  if (!found) co_return listing;
  switch (judge_answer(list, *found)) {
    case ListAnswer::kNothing:
      co_return listing;
    case ListAnswer::kRefused:
      tell(list, "it answers 127.255.255.x: this name server may not ask it, or asks too much",
           "ask it through a name server of your own ([dns] servers), or with the key that its owner gave you");
      co_return listing;
    case ListAnswer::kNonsense:
      tell(list, "its answer is outside of 127.0.0.0/8: the list is gone, or the name server invents answers",
           "remove its [[blocklist]] block, or ask another name server");
      co_return listing;
    case ListAnswer::kListed:
      break;
  }
  listing.listed = true;
  const Duration left = std::chrono::duration_cast<Duration>(end - loop.clock().steady());
  if (list.weight <= 0 || left <= Duration(0)) co_return listing;
  asked = *name;
  Found text = co_await asker.records(loop, std::move(asked), dns::RecordType::kTxt, left);  // RFC 5782 section 2.1
  if (text) listing.text = reply_text(*text);
  co_return listing;
}

}  // namespace sidegate::screen
