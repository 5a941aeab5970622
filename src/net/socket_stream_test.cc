#include "net/socket_stream.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <future>
#include <latch>

#include "net/test_pair.h"

namespace sidegate::net::socket_stream_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// An idle connection must stay small: thousands of them are held.
static_assert(sizeof(SocketStream) < 800);

Awaitable<void> write_all(Stream& stream, std::string text, bool close) {
  Status status = co_await stream.write(text);
  EXPECT_TRUE(status) << status.error().text;
  if (close) stream.close();
}

Awaitable<void> write_slowly(Loop& loop, Stream& stream, std::string text) {
  for (char octet : text) {
    std::string_view one(&octet, 1);
    co_await stream.write(one);
    co_await boost::asio::post(loop.context(), boost::asio::use_awaitable);
  }
  stream.close();
}

Awaitable<void> read_lines(Stream& stream, std::vector<std::string>* out, std::size_t limit, std::size_t fatal) {
  for (;;) {
    auto line = co_await stream.read_line(limit, fatal);
    if (line) {
      out->push_back(std::string(*line) + (stream.line_had_crlf() ? "" : "|LF"));
    } else {
      out->push_back(std::string("!") + name(line.error().kind));
      if (line.error().kind != ErrorKind::kTooLarge) co_return;
    }
  }
}

Awaitable<void> read_bytes(Stream& stream, std::string* out, std::size_t at_most) {
  for (;;) {
    auto some = co_await stream.read_some();
    if (!some) co_return;
    EXPECT_FALSE(some->empty());
    std::size_t n = std::min(at_most, some->size());
    out->append(*some, 0, n);
    stream.consume(n);
  }
}

Awaitable<void> note_error(Stream& stream, std::optional<Error>* out) {
  auto line = co_await stream.read_line(512, 4096);
  if (!line) *out = line.error();
}

std::string pattern(std::size_t n) {
  std::string text(n, 0);
  unsigned x = 12345;
  for (char& c : text) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return text;
}

TEST(SocketStream, ReadsLines) {
  const std::string text = "EHLO x\r\nbare\nin\rside\r\n\r\n" + std::string(600, 'x') + "\r\nlast\r\nunfinished";
  const std::vector<std::string> expected = {"EHLO x", "bare|LF", "in\rside", "", "!too_large", "last", "!closed"};
  {
    Bench bench;
    auto [a, b] = bench.pair();
    std::vector<std::string> lines;
    bench.run(write_all(*a, text, true), read_lines(*b, &lines, 512, 4096));
    EXPECT_EQ(lines, expected);
  }
  {
    Bench bench;
    auto [a, b] = bench.pair();
    std::vector<std::string> lines;
    bench.run(write_slowly(bench.loop, *a, text), read_lines(*b, &lines, 512, 4096));
    EXPECT_EQ(lines, expected);
  }
}

TEST(SocketStream, ReadsLongLinesWhereAllowed) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::vector<std::string> lines;
  std::string text, longest(70'000, 'z');
  std::vector<std::string> expected;
  for (std::size_t n : {1, 510, 511, 512, 513, 4000, 8191, 8192, 9000, 65'000, 65'535, 65'536, 70'000}) {
    expected.push_back(longest.substr(0, n));
    text += expected.back() + "\r\n";
  }
  expected.push_back("!closed");
  bench.run(write_all(*a, text, true), read_lines(*b, &lines, 70'000, 100'000));
  EXPECT_EQ(lines, expected);
}

TEST(SocketStream, ClosesOnAnEndlessLine) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::vector<std::string> lines;
  std::string endless(10'000, 'x');
  bench.run(write_all(*a, endless, false), read_lines(*b, &lines, 512, 4096));
  EXPECT_EQ(lines, std::vector<std::string>{"!closed"});
  EXPECT_TRUE(b->looks_dead());
  lines.clear();
  bench.run(read_lines(*b, &lines, 512, 4096));
  EXPECT_EQ(lines, std::vector<std::string>{"!closed"});
}

TEST(SocketStream, TakesPipelinedLinesWithoutWaiting) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::string text;
  for (int i = 0; i < 100; ++i) text += "RCPT TO:<user" + std::to_string(i) + "@example.org>\r\n";
  std::vector<std::string> lines;
  bench.run(write_all(*a, text, true), read_lines(*b, &lines, 512, 4096));
  EXPECT_EQ(lines.size(), 101u);
  EXPECT_EQ(lines[99], "RCPT TO:<user99@example.org>");
}

// More than the kernel holds: the writer waits for the reader; the gathered write is cut anywhere.
Awaitable<void> write_both(Stream& stream, std::string first, std::string second) {
  for (int i = 0; i < 3; ++i) {
    Status status = co_await stream.write2(first, second);
    EXPECT_TRUE(status) << status.error().text;
  }
  Status nothing = co_await stream.write2("", "");
  EXPECT_TRUE(nothing);
  stream.close();
}

TEST(SocketStream, WaitsForASlowReader) {
  for (std::size_t first : {0, 1, 100'000, 3'000'000}) {
    Bench bench;
    auto [a, b] = bench.pair();
    std::string one = pattern(first), two = pattern(1'000'003), got;
    bench.run(write_both(*a, one, two), read_bytes(*b, &got, 7919));
    EXPECT_TRUE(got == one + two + one + two + one + two);
  }
}

TEST(SocketStream, ReadsBytesThenLines) {
  Bench bench;
  auto [a, b] = bench.pair();
  auto mixed = [](Stream& stream, std::string* out) -> Awaitable<void> {
    auto line = co_await stream.read_line(512, 4096);
    *out += std::string(*line) + "|";
    auto some = co_await stream.read_some();
    EXPECT_EQ(stream.buffered(), some->size());
    *out += std::string(some->substr(0, 4)) + "|";
    stream.consume(4);
    EXPECT_TRUE(stream.has_buffered_line());
    line = co_await stream.read_line(512, 4096);
    *out += std::string(*line);
    EXPECT_FALSE(stream.has_buffered_line());
  };
  std::string got;
  bench.run(write_all(*a, "BDAT 4\r\nbodyNOOP\r\nhalf", false), mixed(*b, &got));
  EXPECT_EQ(got, "BDAT 4|body|NOOP");
  EXPECT_EQ(b->buffered(), 4u);
  b->drop_buffered();
  EXPECT_EQ(b->buffered(), 0u);
}

// --- the ends of a wait

TEST(SocketStream, EndsAtItsDeadline) {
  ManualClock clock;
  Bench bench(clock);
  auto [a, b] = bench.pair();
  std::optional<Error> error;
  a->expires_after(10s);
  bench.loop.spawn("read", note_error(*a, &error));
  bench.loop.context().poll();
  clock.advance(9s);
  bench.loop.check_deadlines();
  bench.loop.context().poll();
  EXPECT_FALSE(error);
  clock.advance(1s);
  bench.loop.check_deadlines();
  bench.loop.context().poll();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kTimeout);
  // It stays so until a new deadline is set.
  error.reset();
  bench.run(note_error(*a, &error));
  EXPECT_EQ(error->kind, ErrorKind::kTimeout);
  a->expires_after(10s);
  std::vector<std::string> lines;
  bench.run(write_all(*b, "x\r\n", true), read_lines(*a, &lines, 512, 4096));
  EXPECT_EQ(lines, (std::vector<std::string>{"x", "!closed"}));
}

TEST(SocketStream, AWriteEndsAtItsDeadlineToo) {
  ManualClock clock;
  Bench bench(clock);
  auto [a, b] = bench.pair();
  std::optional<Status> result;
  auto write = [](Stream& stream, const std::string& text, std::optional<Status>* out) -> Awaitable<void> {
    *out = co_await stream.write(text);
  };
  std::string much(8'000'000, 'x');
  a->expires_after(10s);
  bench.loop.spawn("write", write(*a, much, &result));
  bench.loop.context().poll();
  EXPECT_FALSE(result);
  clock.advance(10s);
  bench.loop.check_deadlines();
  bench.loop.context().poll();
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, ErrorKind::kTimeout);
}

// A deadline by the real clock and the loop's own timer, once.
TEST(SocketStream, TheLoopsTimerEndsAWait) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::optional<Error> error;
  a->expires_after(1ms);
  bench.run(note_error(*a, &error));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kTimeout);
}

TEST(SocketStream, IsCancelledNowOrAtTheNextWait) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::optional<Error> error;
  bench.loop.spawn("read", note_error(*a, &error));
  bench.loop.context().poll();
  a->cancel();
  bench.loop.context().poll();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kClosed);
  // The connection is still good for a last reply and for more.
  error.reset();
  a->cancel();
  bench.run(write_all(*a, "421 bye\r\n", false));
  bench.run(note_error(*a, &error));
  EXPECT_EQ(error->kind, ErrorKind::kClosed);
  std::vector<std::string> lines;
  bench.run(write_all(*b, "x\r\n", true), read_lines(*a, &lines, 512, 4096));
  EXPECT_EQ(lines, (std::vector<std::string>{"x", "!closed"}));
}

TEST(SocketStream, CloseEndsAWait) {
  Bench bench;
  auto [a, b] = bench.pair();
  std::optional<Error> error;
  bench.loop.spawn("read", note_error(*a, &error));
  bench.loop.context().poll();
  a->close();
  bench.loop.context().poll();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::kClosed);
  auto late = [](Stream& stream) -> Awaitable<void> {
    Status status = co_await stream.write("x");
    EXPECT_EQ(status.error().kind, ErrorKind::kClosed);
  };
  bench.run(late(*a));
}

TEST(SocketStream, AResetIsAValue) {
  Bench bench;
  auto [a, b] = bench.pair();
  bench.run(write_all(*a, "unread", false));
  b.reset();  // unread data: the peer gets ECONNRESET
  auto use = [](Stream& stream) -> Awaitable<void> {
    auto line = co_await stream.read_line(512, 4096);
    EXPECT_EQ(line.error().kind, ErrorKind::kClosed);
    for (int i = 0; i < 3; ++i) {  // EPIPE, and no signal
      Status status = co_await stream.write("x");
      EXPECT_EQ(status.error().kind, ErrorKind::kClosed);
    }
  };
  bench.run(use(*a));
}

TEST(SocketStream, LooksDead) {
  Bench bench;
  {
    auto [a, b] = bench.pair();
    EXPECT_FALSE(a->looks_dead());
    bench.run(write_all(*b, "421 idle too long\r\n", false));
    EXPECT_TRUE(a->looks_dead());
  }
  {
    auto [a, b] = bench.pair();
    b->close();
    EXPECT_TRUE(a->looks_dead());
  }
  {
    auto [a, b] = bench.pair();
    a->close();
    EXPECT_TRUE(a->looks_dead());
  }
}

// A peer that never lets us wait must not keep the other sessions from their turn.
Awaitable<void> drain(Stream& stream, std::size_t* total, const bool* enough) {
  while (!*enough) {
    auto some = co_await stream.read_some();
    if (!some) co_return;
    *total += some->size();
    stream.consume(some->size());
  }
}

TEST(SocketStream, SharesTheThread) {
  Bench bench;
  auto [a, peer] = bench.half();
  std::atomic<bool> stop = false;
  std::thread flood([&, peer = peer] {
    std::string block(1 << 20, 'x');
    while (!stop && ::send(peer, block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  bool enough = false;
  std::size_t total = 0;
  int turns = 0;
  auto other = [](Loop& loop, int* count, bool* done) -> Awaitable<void> {
    while (++*count < 50) co_await boost::asio::post(loop.context(), boost::asio::use_awaitable);
    *done = true;
  };
  bench.run(drain(*a, &total, &enough), other(bench.loop, &turns, &enough));
  EXPECT_EQ(turns, 50);
  stop = true;
  a.reset();
  flood.join();
  ::close(peer);
}

}  // namespace
}  // namespace sidegate::net::socket_stream_test
