// Asking block lists, and how each of them fares.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "screen/asker.h"
#include "screen/blocklist.h"

namespace sidegate::screen {

// All the lists of one configuration, and how they fare: a list that is silent is left alone for a while, so that
// nobody waits for it; what an operator should know is told once.
class BlockLists {  // thread-safe
 public:
  BlockLists(std::vector<BlockList> lists, Clock& clock, Log& log)
      : lists_(std::move(lists)), clock_(clock), log_(log) {}

  const std::vector<BlockList>& all() const { return lists_; }
  // Its question and the one for its reason together within `limit`. A list that gives no answer, or none that counts,
  // has not listed the client: mail does not wait for a list's trouble.
  net::Awaitable<Listing> ask(Asker& asker, net::Loop& loop, const BlockList& list, std::string address,
                              Duration limit);

 private:
  struct Health {
    unsigned silent = 0;  // in a row
    SteadyTime rests_until{};
    SteadyTime told_until{};
  };
  bool rests(const BlockList& list);
  void answered(const BlockList& list);
  void was_silent(const BlockList& list, const Error& error);
  void tell(const BlockList& list, const char* trouble, std::string_view detail);
  bool may_tell(Health& health);

  const std::vector<BlockList> lists_;
  Clock& clock_;
  Log& log_;
  std::mutex mutex_;
  std::map<const BlockList*, Health> health_;
};

}  // namespace sidegate::screen
