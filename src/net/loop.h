// One I/O thread: an io_context, a coarse timer for deadlines, a buffer pool. Sessions, attempts and relay connections
// stay on the loop that began them; no locks among them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "net/stream.h"

namespace sidegate::net {

// Something with a deadline in the loop's list; checked every 250 ms (measured: a timer object costs two
// timerfd_settime a wait). on_deadline() runs on the loop's thread, once: the deadline is SteadyTime::max() again by
// then. It may remove or destroy any member of the list, itself included.
class Timed {
 public:
  virtual ~Timed();  // leaves the list if still in it
  virtual void on_deadline() = 0;

 protected:
  friend class Loop;
  class Loop* loop_ = nullptr;  // set while in a list
  SteadyTime deadline_ = SteadyTime::max();
  Timed* previous_ = nullptr;
  Timed* next_ = nullptr;
};

// Streams, acceptors and sleeping coroutines refer to their loop: the loop is destroyed last.
class Loop {
 public:
  Loop(unsigned index, Clock& clock, Log& log);
  // What still waits on this loop (suspended coroutines and the streams in them) is destroyed here.
  ~Loop();
  Loop(const Loop&) = delete;

  unsigned index() const { return index_; }
  boost::asio::io_context& context() { return context_; }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  Clock& clock() { return clock_; }
  Log& log() { return log_; }
  bool on_this_thread() const;

  // The one place where a coroutine starts: `what` names it in the log if it ends by an exception. From any thread.
  void spawn(const char* what, Awaitable<void> work);
  void post(std::move_only_function<void()> fn);
  void add(Timed& timed);  // on the loop's thread
  void remove(Timed& timed);
  // fn every `period` (at least 250 ms) on the loop's thread, until stop. From any thread.
  void every(Duration period, std::move_only_function<void()> fn);
  // Resumes on this loop after d (250 ms coarse). On the loop's thread.
  Awaitable<void> sleep(Duration d);
  // Fires what is due by the clock. The loop's timer calls it; a test that moves its clock by hand does so too.
  void check_deadlines();

  // Scratch space of 64 KiB for reads; a stream borrows it while data flows. On the loop's thread.
  std::unique_ptr<char[]> borrow_buffer();
  void return_buffer(std::unique_ptr<char[]> buffer);
  static constexpr std::size_t kBufferSize = 64 * 1024;
  static constexpr Duration kTick{250};

  void run();   // until stop()
  void stop();  // from any thread

 private:
  struct State;
  void tick();
  std::unique_ptr<State> state_;  // before the context: what the context destroys still uses it
  boost::asio::io_context context_;
  unsigned index_;
  Clock& clock_;
  Log& log_;
};

// The I/O threads of the process: one loop each.
class Loops {
 public:
  Loops(unsigned count, Clock& clock, Log& log);
  ~Loops();  // stops and joins
  void start();
  void stop_and_join();
  std::size_t size() const { return loops_.size(); }
  Loop& operator[](std::size_t i) { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace sidegate::net
