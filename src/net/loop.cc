#include "net/loop.h"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <map>
#include <mutex>
#include <vector>

namespace sidegate::net {
namespace {

// A peer that is gone is an error of the write, not a signal. Whoever executes another program restores it.
void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] { std::signal(SIGPIPE, SIG_IGN); });
}

constexpr std::size_t kMostSpareBuffers = 16;
constexpr std::size_t kSpareBuffersWhenIdle = 1;

struct Periodic {
  Duration period;
  SteadyTime next;
  std::move_only_function<void()> fn;
};

}  // namespace

struct Loop::State {
  std::unique_ptr<boost::asio::steady_timer> timer;
  Timed* first = nullptr;
  Timed* cursor = nullptr;  // the next one check_deadlines() looks at; remove() moves it on
  // Sleeping coroutines. They are owned here and not by their own frames, so that a loop can be destroyed with them.
  using Sleepers = std::multimap<SteadyTime, std::move_only_function<void()>>;
  Sleepers sleepers;
  std::vector<std::unique_ptr<Periodic>> periodics;
  std::vector<std::unique_ptr<char[]>> spare;
  std::size_t least_spare = 0;  // since the last tick: so many were not needed
};

Timed::~Timed() {
  if (loop_ != nullptr) loop_->remove(*this);
}

Loop::Loop(unsigned index, Clock& clock, Log& log)
    : state_(std::make_unique<State>()), context_(1), index_(index), clock_(clock), log_(log) {
  ignore_sigpipe();
  state_->timer = std::make_unique<boost::asio::steady_timer>(context_);
  tick();
}

Loop::~Loop() {
  state_->timer.reset();
  state_->periodics.clear();
  // Each holds a coroutine, and ending one may start another sleep or end others.
  while (!state_->sleepers.empty()) state_->sleepers.extract(state_->sleepers.begin());
}

bool Loop::on_this_thread() const {
  return const_cast<boost::asio::io_context&>(context_).get_executor().running_in_this_thread();
}

void Loop::spawn(const char* what, Awaitable<void> work) {
  auto report = [this, what](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      log_.error("exception", {{"in", what}, {"what", e.what()}});
    } catch (...) {
      log_.error("exception", {{"in", what}, {"what", "not a std::exception"}});
    }
  };
  boost::asio::co_spawn(executor(), std::move(work), report);
}

void Loop::post(std::move_only_function<void()> fn) {
  boost::asio::post(context_, std::move(fn));
}

void Loop::add(Timed& timed) {
  timed.loop_ = this;
  timed.previous_ = nullptr;
  timed.next_ = state_->first;
  if (timed.next_ != nullptr) timed.next_->previous_ = &timed;
  state_->first = &timed;
}

void Loop::remove(Timed& timed) {
  if (timed.loop_ != this) return;
  if (state_->cursor == &timed) state_->cursor = timed.next_;
  (timed.previous_ != nullptr ? timed.previous_->next_ : state_->first) = timed.next_;
  if (timed.next_ != nullptr) timed.next_->previous_ = timed.previous_;
  timed.previous_ = timed.next_ = nullptr;
  timed.loop_ = nullptr;
}

void Loop::every(Duration period, std::move_only_function<void()> fn) {
  auto periodic = std::make_unique<Periodic>(std::max(period, kTick), SteadyTime(), std::move(fn));
  post([this, periodic = std::move(periodic)]() mutable {
    periodic->next = clock_.steady() + periodic->period;
    state_->periodics.push_back(std::move(periodic));
  });
}

Awaitable<void> Loop::sleep(Duration d) {
  // Its place in the list first: a coroutine that is handed over as a handler is lost if there is no memory for one
  // then.
  State::Sleepers place;
  place.emplace(clock_.steady() + d, nullptr);
  auto start = [this, &place](auto handler) {
    auto node = place.extract(place.begin());
    node.mapped() = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    state_->sleepers.insert(std::move(node));
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(std::move(start),
                                                                                     boost::asio::use_awaitable);
}

void Loop::check_deadlines() {
  State& state = *state_;
  SteadyTime now = clock_.steady();
  state.cursor = state.first;
  while (Timed* timed = state.cursor) {
    state.cursor = timed->next_;
    if (timed->deadline_ > now) continue;
    timed->deadline_ = SteadyTime::max();
    timed->on_deadline();
  }
  while (!state.sleepers.empty() && state.sleepers.begin()->first <= now) {
    auto due = state.sleepers.extract(state.sleepers.begin());
    due.mapped()();
  }
  for (std::size_t i = 0; i < state.periodics.size(); ++i) {  // fn may add another
    Periodic& periodic = *state.periodics[i];
    if (periodic.next > now) continue;
    periodic.next = now + periodic.period;
    periodic.fn();
  }
}

void Loop::tick() {
  state_->timer->expires_after(kTick);
  state_->timer->async_wait([this](boost::system::error_code error) {
    if (error || !state_->timer) return;
    tick();  // first: a deadline that throws must not stop the clock
    check_deadlines();
    // What stayed unused for a whole tick goes back to the heap.
    State& state = *state_;
    std::size_t keep =
        std::max(kSpareBuffersWhenIdle, state.spare.size() - std::min(state.spare.size(), state.least_spare));
    if (state.spare.size() > keep) state.spare.resize(keep);
    state.least_spare = state.spare.size();
  });
}

std::unique_ptr<char[]> Loop::borrow_buffer() {
  auto& spare = state_->spare;
  if (spare.empty()) return std::make_unique_for_overwrite<char[]>(kBufferSize);
  std::unique_ptr<char[]> buffer = std::move(spare.back());
  spare.pop_back();
  state_->least_spare = std::min(state_->least_spare, spare.size());
  return buffer;
}

void Loop::return_buffer(std::unique_ptr<char[]> buffer) {
  if (state_->spare.size() < kMostSpareBuffers) state_->spare.push_back(std::move(buffer));
}

void Loop::run() {
  auto work = boost::asio::make_work_guard(context_);
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (const std::exception& e) {  // a bug in a posted function: the other sessions go on
      log_.error("exception", {{"in", "loop"}, {"what", e.what()}});
    }
  }
}

void Loop::stop() {
  context_.stop();
}

Loops::Loops(unsigned count, Clock& clock, Log& log) {
  for (unsigned i = 0; i < std::max(count, 1u); ++i) loops_.push_back(std::make_unique<Loop>(i, clock, log));
}

Loops::~Loops() {
  stop_and_join();
}

void Loops::start() {
  for (auto& loop : loops_) {
    threads_.emplace_back([&loop = *loop] {
      pthread_setname_np(pthread_self(), ("io-" + std::to_string(loop.index())).c_str());
      loop.run();
    });
  }
}

void Loops::stop_and_join() {
  for (auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace sidegate::net
