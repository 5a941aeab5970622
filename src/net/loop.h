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

// Something with a deadline in the loop's list; checked every 250 ms (measured: a timer object costs two timerfd_settime
// a wait). on_deadline() runs on the loop's thread.
class Timed {
 public:
  virtual ~Timed();
  virtual void on_deadline() = 0;

 protected:
  friend class Loop;
  class Loop* loop_ = nullptr;
  SteadyTime deadline_ = SteadyTime::max();
  Timed* previous_ = nullptr;
  Timed* next_ = nullptr;
};

class Loop {
 public:
  Loop(unsigned index, Clock& clock, Log& log);
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
  void add(Timed& timed);      // on the loop's thread
  void remove(Timed& timed);
  // fn every `period` (at least 250 ms) on the loop's thread, until stop.
  void every(Duration period, std::move_only_function<void()> fn);
  // Resumes on this loop after d (250 ms coarse).
  Awaitable<void> sleep(Duration d);

  // Scratch space of 64 KiB for reads; a stream borrows it while data flows.
  std::unique_ptr<char[]> borrow_buffer();
  void return_buffer(std::unique_ptr<char[]> buffer);
  static constexpr std::size_t kBufferSize = 64 * 1024;

  void run();    // until stop()
  void stop();   // from any thread

 private:
  struct State;
  boost::asio::io_context context_;
  unsigned index_;
  Clock& clock_;
  Log& log_;
  std::unique_ptr<State> state_;
};

// The I/O threads of the process: one loop each.
class Loops {
 public:
  Loops(unsigned count, Clock& clock, Log& log);
  ~Loops();   // stops and joins
  void start();
  void stop_and_join();
  std::size_t size() const { return loops_.size(); }
  Loop& operator[](std::size_t i) { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
};

}  // namespace sidegate::net
