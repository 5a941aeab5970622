#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace sidegate {

namespace {

// After a write the writer rests this long, so that a busy server writes its lines in batches and nobody has to wake
// it.
constexpr auto kRest = std::chrono::milliseconds(20);
constexpr auto kLastChance = std::chrono::seconds(5);  // for a reader that takes nothing, at the end

// All of it, or false: the reader is gone for good. A descriptor in non-blocking mode is waited for.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, 1000);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

// The buffer between those who log and the one thread that writes. Lines gather in `waiting` while the writer is busy
// with the batch before; it is woken only when it sleeps, or when it rests and the buffer gets full.
struct Log::Writer {
  Writer(int f, std::unique_ptr<LogStyle> s, std::size_t b, Duration p)
      : fd(f), style(std::move(s)), bound(b), patience(p) {}

  const int fd;
  const std::unique_ptr<LogStyle> style;
  const std::size_t bound;
  const Duration patience;
  std::thread thread;

  std::mutex mutex;
  std::condition_variable wake, room, written_up;
  std::string waiting;                             // whole lines
  std::uint64_t taken = 0, done = 0;               // lines put into the buffer, lines written or lost
  std::uint64_t dropped = 0, dropped_stories = 0;  // since the last that was told
  std::uint64_t dropped_before = 0;
  std::chrono::steady_clock::time_point give_up{};  // of the stories that wait now
  unsigned waiting_stories = 0;
  unsigned waiters = 0;  // callers that wait for room or for flush()
  bool asleep = false, stop = false, ended = false;
  bool stuck = false;  // stories have waited in vain; until the writer has written something

  bool hurried() const { return stop || waiters > 0 || waiting.size() > bound / 2; }
  void put(LogWeight weight, std::string_view line);
  template <typename Fits>
  bool wait_for_room(std::unique_lock<std::mutex>& lock, Fits fits);
  void run();
  void tell_of_dropped(std::string& batch);
  void write_batch(std::unique_lock<std::mutex>& lock, std::string& batch);
};

void Log::Writer::put(LogWeight weight, std::string_view line) {
  std::unique_lock lock(mutex);
  std::size_t limit = weight == LogWeight::kStory ? bound : bound / 4 * 3;
  // A line longer than the whole buffer still gets in when nothing else waits.
  auto fits = [&] { return waiting.empty() || waiting.size() + line.size() < limit; };
  if (!fits()) {
    if (weight != LogWeight::kStory) {
      ++dropped;
      return;
    }
    if (!wait_for_room(lock, fits)) {
      ++dropped;
      ++dropped_stories;
      return;
    }
  }
  waiting += line;
  waiting += '\n';
  ++taken;
  bool wake_it =
      std::exchange(asleep, false) || (waiting.size() > bound / 2 && waiting.size() - line.size() - 1 <= bound / 2);
  lock.unlock();
  if (wake_it) wake.notify_one();
}

// False: the reader takes nothing. The stories that wait share one time limit, so that mail stands still once, however
// many threads log.
template <typename Fits>
bool Log::Writer::wait_for_room(std::unique_lock<std::mutex>& lock, Fits fits) {
  if (stuck) return false;
  if (waiting_stories++ == 0) give_up = std::chrono::steady_clock::now() + patience;
  ++waiters;
  wake.notify_one();
  if (!room.wait_until(lock, give_up, [&] { return stuck || fits(); }) && !stuck) {
    stuck = true;
    room.notify_all();
  }
  --waiters;
  --waiting_stories;
  return fits();
}

void Log::Writer::tell_of_dropped(std::string& batch) {
  if (dropped == 0) return;
  dropped_before += dropped;
  std::uint64_t count = std::exchange(dropped, 0), stories = std::exchange(dropped_stories, 0);
  batch += style->line(system_clock().wall(), LogLevel::kWarning, "log_lines_dropped",
                       {{"count", count}, {"stories", stories}});
  if (!batch.empty() && batch.back() != '\n') batch += '\n';
}

void Log::Writer::write_batch(std::unique_lock<std::mutex>& lock, std::string& batch) {
  batch.clear();
  batch.swap(waiting);
  std::uint64_t up_to = taken;
  tell_of_dropped(batch);  // behind the lines that got in before the others were dropped
  room.notify_all();
  lock.unlock();
  write_all(fd, batch);                                      // a reader that is gone stops no mail: the lines are lost
  if (batch.capacity() > 256 * 1024) batch = std::string();  // a burst's memory is given back
  lock.lock();
  done = up_to;
  stuck = false;
  written_up.notify_all();
}

void Log::Writer::run() {
  std::string batch;
  std::unique_lock lock(mutex);
  for (;;) {
    while (waiting.empty() && !stop) {
      asleep = true;
      wake.wait(lock, [&] { return !asleep || stop; });
      asleep = false;
    }
    if (waiting.empty()) break;
    write_batch(lock, batch);
    if (!hurried()) wake.wait_for(lock, kRest, [&] { return hurried(); });
  }
  ended = true;
  written_up.notify_all();
}

Log::Log(int fd, std::unique_ptr<LogStyle> style, LogLevel least, std::size_t buffer_bytes, Duration patience)
    : writer_(std::make_shared<Writer>(fd, std::move(style), buffer_bytes, patience)), least_(least) {
  // The thread shares the writer: should it be stuck in write(2) at the end, it outlives the Log.
  writer_->thread = std::thread([writer = writer_] { writer->run(); });
  pthread_setname_np(writer_->thread.native_handle(), "log");
}

Log::Log() : least_(static_cast<LogLevel>(255)) {}

Log::~Log() {
  if (!writer_) return;
  std::unique_lock lock(writer_->mutex);
  writer_->stop = true;
  writer_->wake.notify_one();
  bool ended = writer_->written_up.wait_for(lock, kLastChance, [&] { return writer_->ended; });
  lock.unlock();
  ended ? writer_->thread.join() : writer_->thread.detach();
}

void Log::put(LogLevel level, LogWeight weight, std::string_view event, LogFields fields) {
  try {
    std::string line = writer_->style->line(system_clock().wall(), level, event, fields);
    if (!line.empty()) writer_->put(weight, line);
  } catch (const std::bad_alloc&) {  // who logs may be ending for the same reason: a line is lost, and counted
    std::lock_guard lock(writer_->mutex);
    ++writer_->dropped;
    if (weight == LogWeight::kStory) ++writer_->dropped_stories;
  }
}

std::uint64_t Log::dropped() const {
  if (!writer_) return 0;
  std::lock_guard lock(writer_->mutex);
  return writer_->dropped_before + writer_->dropped;
}

bool Log::stuck() const {
  if (!writer_) return false;
  std::lock_guard lock(writer_->mutex);
  return writer_->stuck;
}

void Log::flush() {
  if (!writer_) return;
  std::unique_lock lock(writer_->mutex);
  std::uint64_t up_to = writer_->taken;
  ++writer_->waiters;
  writer_->wake.notify_one();
  writer_->written_up.wait(lock, [&] { return writer_->done >= up_to || writer_->ended; });
  --writer_->waiters;
}

Log& null_log() {
  static Log log;
  return log;
}

}  // namespace sidegate
