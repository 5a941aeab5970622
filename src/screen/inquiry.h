// What is found out about one client beside its dialogue, which goes on meanwhile and waits only where it needs the
// answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "screen/asker.h"
#include "screen/blocklists.h"
#include "screen/client_name.h"
#include "screen/signal.h"

namespace sidegate::screen {

class Inquiry : public std::enable_shared_from_this<Inquiry> {  // on the loop's thread
 public:
  // asker and loop outlive it.
  Inquiry(Asker& asker, net::Loop& loop, std::string address)
      : asker_(asker), loop_(loop), address_(std::move(address)), changed_(loop) {}

  // Begins to ask; every question is answered, or given up, within `limit`. lists: null: none is asked.
  void begin_name(Duration limit);
  void begin_lists(std::shared_ptr<BlockLists> lists, Duration limit);
  // Until the name is known or given up, at most `limit`.
  net::Awaitable<void> wait_for_name(Duration limit);
  net::Awaitable<void> wait_for_all();  // what was begun
  // Whoever waits waits no more, and nothing more is known.
  void cancel() {
    cancelled_ = true;
    changed_.fire();
  }
  const ClientName& name() const { return name_; }
  const std::vector<Listing>& listings() const { return listings_; }

 private:
  class Part;
  static net::Awaitable<void> find_name(std::shared_ptr<Inquiry> self, Duration limit);
  static net::Awaitable<void> ask_list(std::shared_ptr<Inquiry> self, std::size_t at, Duration limit);
  static net::Awaitable<void> wake(std::shared_ptr<Inquiry> self, Duration after);

  Asker& asker_;
  net::Loop& loop_;
  const std::string address_;
  ClientName name_;
  std::shared_ptr<BlockLists> lists_;
  std::vector<Listing> listings_;
  unsigned open_ = 0;  // questions
  bool name_open_ = false;
  bool overslept_ = false;
  bool cancelled_ = false;
  Signal changed_;
};

}  // namespace sidegate::screen
