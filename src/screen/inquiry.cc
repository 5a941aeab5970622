#include "screen/inquiry.h"

#include <new>

namespace sidegate::screen {

// One question under way. One that ends without its answer leaves nobody waiting: then the loop is being taken down.
class Inquiry::Part {
 public:
  explicit Part(Inquiry& inquiry) : inquiry_(inquiry) {}
  ~Part() {
    if (!answered_) inquiry_.changed_.abandon();
  }
  void answered() {
    answered_ = true;
    --inquiry_.open_;
    inquiry_.changed_.fire();
  }

 private:
  Inquiry& inquiry_;
  bool answered_ = false;
};

void Inquiry::begin_name(Duration limit) {
  name_open_ = true;
  ++open_;
  loop_.spawn("client name", find_name(shared_from_this(), limit));
}

void Inquiry::begin_lists(std::shared_ptr<BlockLists> lists, Duration limit) {
  if (!lists) return;
  lists_ = std::move(lists);
  listings_.resize(lists_->all().size());
  for (std::size_t i = 0; i < listings_.size(); ++i) {
    listings_[i].list = &lists_->all()[i];
    ++open_;
    loop_.spawn("block list", ask_list(shared_from_this(), i, limit));
  }
}

net::Awaitable<void> Inquiry::find_name(std::shared_ptr<Inquiry> self, Duration limit) {
  Part part(*self);
  try {
    self->name_ = co_await find_client_name(self->asker_, self->loop_, self->address_, limit);
  } catch (const std::bad_alloc&) {
    // Nobody can say: who waits goes on.
  }
  self->name_open_ = false;
  part.answered();
}

net::Awaitable<void> Inquiry::ask_list(std::shared_ptr<Inquiry> self, std::size_t at, Duration limit) {
  Part part(*self);
  const BlockList& list = self->lists_->all()[at];
  try {
    self->listings_[at] = co_await self->lists_->ask(self->asker_, self->loop_, list, self->address_, limit);
  } catch (const std::bad_alloc&) {
    // It lists nobody.
  }
  part.answered();
}

net::Awaitable<void> Inquiry::wake(std::shared_ptr<Inquiry> self, Duration after) {
  co_await self->loop_.sleep(after);
  self->overslept_ = true;
  self->changed_.fire();
}

net::Awaitable<void> Inquiry::wait_for_name(Duration limit) {
  if (!name_open_ || cancelled_ || limit <= Duration(0)) co_return;
  overslept_ = false;
  loop_.spawn("greeting delay", wake(shared_from_this(), limit));
  while (name_open_ && !overslept_ && !cancelled_) co_await changed_.wait();
}

net::Awaitable<void> Inquiry::wait_for_all() {
  while (open_ > 0 && !cancelled_) co_await changed_.wait();
}

}  // namespace sidegate::screen
