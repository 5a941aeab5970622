// The log: events with named values, no free text. One thread writes; the caller never blocks on a slow journal, except
// for the line that ends a recipient's story (kStory): it waits for room, but a reader that takes nothing stops mail
// only once and for a bounded time. From then on lines are dropped and counted until the writer moves again.
//
//   log.info("accepted", {{"id", id.text()}, {"from", path}, {"size", bytes}});
//
// The event names and keys are an interface (they are parsed by people's tools): they stand in doc/log.md.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace sidegate {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogWeight : std::uint8_t {
  kSession,  // may be dropped (and counted) when the buffer is full
  kStory,    // ends a recipient's story: waits for room, unless the log is stuck
};

struct LogField {
  std::string_view key;  // must outlive the call only
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <typename N>
    requires std::is_integral_v<N>
  LogField(std::string_view k, N v) : key(k), value(static_cast<std::int64_t>(v)) {}
};
using LogFields = std::initializer_list<LogField>;

// A style turns an event into one line (without the line feed). Called on the thread that logs: pure, no locks.
class LogStyle {
 public:
  virtual ~LogStyle() = default;
  virtual std::string line(WallTime at, LogLevel level, std::string_view event,
                           LogFields fields) const = 0;  // empty: not shown in this style
};
std::unique_ptr<LogStyle> json_log_style();   // {"time":"...","level":"info","event":"accepted","id":"..."}
std::unique_ptr<LogStyle> plain_log_style();  // for people: "accepted id=... from=..."

class Log {  // thread-safe
 public:
  // Writes lines to fd (not owned) on a thread of its own. buffer_bytes bounds what waits; session lines may use three
  // quarters of it, so that one noisy session does not make a story wait. patience: how long stories wait, all callers
  // together, before the log counts as stuck.
  Log(int fd, std::unique_ptr<LogStyle> style, LogLevel least = LogLevel::kInfo, std::size_t buffer_bytes = 4 << 20,
      Duration patience = std::chrono::seconds(2));
  ~Log();  // writes what waits; gives up after 5 s on a reader that takes nothing
  Log(const Log&) = delete;

  bool shows(LogLevel level) const { return level >= least_; }
  void write(LogLevel level, LogWeight weight, std::string_view event, LogFields fields) {
    if (shows(level)) put(level, weight, event, fields);
  }
  void debug(std::string_view event, LogFields fields = {}) {
    write(LogLevel::kDebug, LogWeight::kSession, event, fields);
  }
  void info(std::string_view event, LogFields fields = {}) {
    write(LogLevel::kInfo, LogWeight::kSession, event, fields);
  }
  void warning(std::string_view event, LogFields fields = {}) {
    write(LogLevel::kWarning, LogWeight::kSession, event, fields);
  }
  void error(std::string_view event, LogFields fields = {}) {
    write(LogLevel::kError, LogWeight::kSession, event, fields);
  }
  void story(std::string_view event, LogFields fields = {}) {
    write(LogLevel::kInfo, LogWeight::kStory, event, fields);
  }
  std::uint64_t dropped() const;  // lines of any weight
  bool stuck() const;             // the reader takes nothing: nobody waits for it
  void flush();  // returns when what was logged before is written, or lost; for tests and the end of a command

 private:
  friend Log& null_log();
  Log();  // shows nothing
  void put(LogLevel level, LogWeight weight, std::string_view event, LogFields fields);

  struct Writer;
  std::shared_ptr<Writer> writer_;  // shared with its thread
  LogLevel least_;
};

Log& null_log();  // for tests: takes all, writes nothing

}  // namespace sidegate
