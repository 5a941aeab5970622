#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <thread>

#include "base/text.h"

namespace sidegate::log_test {
namespace {

constexpr WallTime kAt = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)) + std::chrono::hours(22) +
                         std::chrono::minutes(25) + std::chrono::milliseconds(12'007);

TEST(LogStyle, Json) {
  auto style = json_log_style();
  EXPECT_EQ(
      style->line(kAt, LogLevel::kInfo, "accepted",
                  {{"id", "0A"}, {"size", 42u}, {"tls", true}, {"delay", 0.5}, {"n", -3}}),
      R"({"time":"2026-11-21T22:25:12.007Z","level":"info","event":"accepted","id":"0A","size":42,"tls":true,"delay":0.5,"n":-3})");
  EXPECT_EQ(style->line(kAt + std::chrono::milliseconds(1993), LogLevel::kError, "x", {}),
            R"({"time":"2026-11-21T22:25:14.000Z","level":"error","event":"x"})");
}

TEST(LogStyle, JsonValuesCannotLeaveTheirQuotes) {
  struct Case {
    std::string_view value, out;
  } cases[] = {
      {"a\"b\\c", R"("a\"b\\c")"},
      {"\r\n\t", R"("\r\n\t")"},
      {std::string_view("\0\x1b\x7f", 3), R"("\u0000\u001b\u007f")"},
      {"\xc3\xb6", "\"\xc3\xb6\""},
      {"\xff\xc3", R"("\ufffd\ufffd")"},
      {"\xc2\x85", R"("\u0085")"},
      {"\xe2\x80\xa8\xe2\x80\xa9", R"("\u2028\u2029")"},
      {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")"},
  };
  for (const auto& c : cases) {
    std::string line = json_log_style()->line(kAt, LogLevel::kInfo, "e", {{"v", c.value}});
    EXPECT_EQ(line.substr(line.find("\"v\":") + 4), std::string(c.out) + "}");
  }
  EXPECT_TRUE(json_log_style()->line(kAt, LogLevel::kInfo, "e", {{"v", 1.0 / 0.0}}).ends_with("\"v\":null}"));
  EXPECT_TRUE(json_log_style()->line(kAt, LogLevel::kInfo, "e", {{"a\"b", 1}}).ends_with(R"("a\"b":1})"));
}

TEST(LogStyle, Plain) {
  auto style = plain_log_style();
  EXPECT_EQ(style->line(kAt, LogLevel::kInfo, "accepted", {{"id", "0A"}, {"from", ""}, {"size", 42}}),
            "2026-11-21T22:25:12.007Z accepted id=0A from=\"\" size=42");
  EXPECT_EQ(style->line(kAt, LogLevel::kWarning, "x", {{"reply", "550 \"no\"\r\n"}}),
            R"(2026-11-21T22:25:12.007Z warning: x reply="550 \"no\"\x0d\x0a")");
}

TEST(LogStyle, AnyValueStaysOnItsLine) {
  rc::check("no style lets a value break a line", [](const std::string& value) {
    for (auto& style : {json_log_style(), plain_log_style()}) {
      std::string line = style->line(kAt, LogLevel::kInfo, "e", {{"v", value}});
      RC_ASSERT(is_utf8(line));
      for (char c : line) RC_ASSERT(!is_control(c));
    }
  });
}

struct Pipe {
  int ends[2];
  Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }
  void close_end(int i) {
    if (ends[i] >= 0) ::close(std::exchange(ends[i], -1));
  }
  std::string read_all() {  // after the writer's end is closed
    std::string all;
    char buffer[65536];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }
};

std::size_t count_lines(const std::string& text, std::string_view word) {
  std::size_t count = 0;
  for (auto line : split(text, '\n')) count += line.find(word) != std::string_view::npos;
  return count;
}

TEST(Log, WritesAllLinesInOrderOfEachThread) {
  Pipe pipe;
  std::string all;
  std::thread reader([&] { all = pipe.read_all(); });
  {
    Log log(pipe.ends[1], json_log_style());
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < 5000; ++i) log.story("line", {{"t", t}, {"i", i}});
      });
    }
  }
  pipe.close_writer();
  reader.join();
  int next[4] = {};
  for (auto line : split(all, '\n')) {
    if (line.empty()) continue;
    int t = line[line.find("\"t\":") + 4] - '0';
    std::string_view number = line.substr(line.find("\"i\":") + 4);
    EXPECT_EQ(parse_number(number.substr(0, number.find('}'))), static_cast<std::uint64_t>(next[t]++));
  }
  for (int n : next) EXPECT_EQ(n, 5000);
}

TEST(Log, AStuckReaderDropsSessionLinesAndKeepsStories) {
  Pipe pipe;
  std::string all;
  {
    Log log(pipe.ends[1], json_log_style(), LogLevel::kInfo, 16 * 1024);
    for (int i = 0; i < 5000; ++i) log.info("session", {{"i", i}});  // the pipe takes 64 KiB, the buffer 12
    EXPECT_GT(log.dropped(), 0u);
    std::thread teller([&log] {
      for (int i = 0; i < 500; ++i) log.story("story", {{"i", i}});  // waits for the reader
      log.flush();
    });
    std::thread reader([&] { all = pipe.read_all(); });
    teller.join();
    std::uint64_t dropped = log.dropped();
    log.info("after");
    log.flush();
    pipe.close_writer();
    reader.join();
    EXPECT_EQ(count_lines(all, "\"session\""), 5000 - dropped);
  }
  EXPECT_EQ(count_lines(all, "\"story\""), 500u);
  EXPECT_GE(count_lines(all, "log_lines_dropped"), 1u);
  EXPECT_EQ(count_lines(all, "\"after\""), 1u);
}

TEST(Log, AStuckReaderStopsStoriesOnceAndForABoundedTime) {
  Pipe pipe;
  std::string all;
  std::uint64_t dropped = 0;
  {
    Log log(pipe.ends[1], json_log_style(), LogLevel::kInfo, 16 * 1024, std::chrono::milliseconds(50));
    auto tell = [&log](int from) {
      for (int i = from; i < from + 5000; ++i) log.story("story", {{"i", i}});  // far more than pipe and buffer take
    };
    std::thread one(tell, 0), two(tell, 5000);  // neither would end if each line waited
    one.join();
    two.join();
    EXPECT_TRUE(log.stuck());
    dropped = log.dropped();
    EXPECT_GT(dropped, 5000u);
    std::thread reader([&] { all = pipe.read_all(); });
    log.flush();
    EXPECT_FALSE(log.stuck());
    log.story("after");
    log.flush();
    EXPECT_EQ(log.dropped(), dropped);
    pipe.close_writer();
    reader.join();
  }
  EXPECT_EQ(count_lines(all, "\"story\""), 10000 - dropped);
  EXPECT_EQ(count_lines(all, "\"after\""), 1u);
  std::uint64_t told = 0;
  for (auto line : split(all, '\n')) {
    std::size_t at = line.find("\"count\":");
    if (line.find("log_lines_dropped") == std::string_view::npos || at == std::string_view::npos) continue;
    std::string_view number = line.substr(at + 8);
    told += parse_number(number.substr(0, number.find(','))).value_or(0);
    EXPECT_NE(line.find("\"stories\":"), std::string_view::npos);
  }
  EXPECT_EQ(told, dropped);
}

TEST(Log, AReaderThatIsGoneStopsNobody) {
  Log log(-1, json_log_style(), LogLevel::kInfo, 4096);
  for (int i = 0; i < 1000; ++i) log.story("story", {{"i", i}});
  log.flush();
}

TEST(Log, ShowsFromItsLevelOn) {
  Pipe pipe;
  {
    Log log(pipe.ends[1], plain_log_style(), LogLevel::kWarning);
    EXPECT_FALSE(log.shows(LogLevel::kInfo));
    log.debug("one");
    log.info("two");
    log.warning("three");
    log.error("four");
  }
  pipe.close_writer();
  std::string all = pipe.read_all();
  EXPECT_EQ(count_lines(all, "warning: three"), 1u);
  EXPECT_EQ(count_lines(all, "error: four"), 1u);
  EXPECT_EQ(split(all, '\n').size(), 3u);
}

TEST(Log, NullLogShowsNothing) {
  EXPECT_FALSE(null_log().shows(LogLevel::kError));
  null_log().error("x", {{"a", 1}});
  null_log().story("x");
  null_log().flush();
  EXPECT_EQ(null_log().dropped(), 0u);
}

}  // namespace
}  // namespace sidegate::log_test
