#include "net/read_buffer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace sidegate::net::read_buffer_test {
namespace {

// The lines in `text` when it arrives `step` octets at a time.
std::vector<std::string> lines_of(std::string_view text, std::size_t step, std::size_t limit, std::size_t fatal) {
  ReadBuffer buffer(nullptr);
  std::vector<std::string> lines;
  while (!text.empty()) {
    buffer.settle();
    buffer.reserve(buffer.room().empty() ? limit + 2 : 0);
    std::size_t n = std::min({step, text.size(), buffer.room().size()});
    EXPECT_GT(n, 0u);
    buffer.append(text.substr(0, n));
    text.remove_prefix(n);
    for (;;) {
      bool announced = buffer.has_line();
      auto line = buffer.take_line(limit, fatal);
      if (announced) EXPECT_TRUE(line);
      if (!line) break;
      lines.push_back(*line ? std::string(**line) + (buffer.line_had_crlf() ? "" : "|LF") : name(line->error().kind));
      if (!*line && line->error().kind == ErrorKind::kClosed) return lines;
    }
  }
  return lines;
}

TEST(ReadBuffer, TakesLinesHoweverTheyArrive) {
  struct Case {
    std::string text;
    std::vector<std::string> lines;
  };
  auto x = [](std::size_t n) { return std::string(n, 'x'); };
  const std::vector<Case> cases = {
      {"a\r\nb\r\n", {"a", "b"}},
      {"a\nb\r\n", {"a|LF", "b"}},
      {"\r\n\n", {"", "|LF"}},
      {"a\rb\r\n", {"a\rb"}},
      {"a\r\r\n", {"a\r"}},
      {"a\n\r\n", {"a|LF", ""}},
      {x(8) + "\r\nz\r\n", {x(8), "z"}},
      {x(8) + "\nz\r\n", {x(8) + "|LF", "z"}},
      {x(9) + "\r\nz\r\n", {"too_large", "z"}},
      {x(9) + "\nz\r\n", {"too_large", "z"}},
      {x(8) + "\r\r\nz\r\n", {"too_large", "z"}},
      {x(8) + "\r" + x(3) + "\r\nz\r\n", {"too_large", "z"}},
      {x(30) + "\r\nz\r\n", {"too_large", "z"}},
      {x(31) + "\r\nz\r\n", {"closed"}},
      {x(31) + "\nz\r\n", {"closed"}},
      {x(100), {"closed"}},
      {x(30) + "\n" + x(30) + "\r\n", {"too_large", "too_large"}},
      {"unfinished", {}},
  };
  for (const auto& c : cases) {
    for (std::size_t step = 1; step <= c.text.size() + 1; ++step) {
      EXPECT_EQ(lines_of(c.text, step, 8, 30), c.lines) << "step " << step << " of " << c.text;
    }
  }
}

RC_GTEST_PROP(ReadBuffer, DoesNotDependOnTheChunks, ()) {
  auto text = *rc::gen::container<std::string>(rc::gen::element('a', 'b', '\r', '\n'));
  auto step = *rc::gen::inRange<std::size_t>(1, 12);
  RC_ASSERT(lines_of(text, step, 3, 9) == lines_of(text, text.size() + 1, 3, 9));
}

TEST(ReadBuffer, GrowsAsNeededAndShrinksWhenIdle) {
  ReadBuffer buffer(nullptr);
  EXPECT_EQ(buffer.room().size(), ReadBuffer::kSmall);
  std::string expected;
  for (std::size_t capacity : {ReadBuffer::kMedium, ReadBuffer::kLarge, std::size_t(200'000)}) {
    buffer.reserve(capacity);
    EXPECT_GE(buffer.room().size() + buffer.size(), capacity);
    std::string more(buffer.room().size(), static_cast<char>('a' + expected.size() % 20));
    buffer.append(more);
    expected += more;
    EXPECT_EQ(buffer.view(), expected);
    EXPECT_TRUE(buffer.room().empty());
  }
  buffer.consume(expected.size() - 300);
  buffer.settle();
  EXPECT_EQ(buffer.size(), 300u);
  buffer.consume(100);
  buffer.settle();
  EXPECT_EQ(buffer.view(), std::string(200, expected.back()));
  EXPECT_EQ(buffer.room().size(), ReadBuffer::kSmall - 200);
  buffer.consume(1000);
  EXPECT_EQ(buffer.size(), 0u);
}

TEST(ReadBuffer, MovesWhatIsLeftToTheFront) {
  ReadBuffer buffer(nullptr);
  buffer.append(std::string(ReadBuffer::kSmall - 1, 'a') + "b");
  buffer.consume(ReadBuffer::kSmall - 1);
  buffer.reserve(0);
  EXPECT_EQ(buffer.view(), "b");
  EXPECT_EQ(buffer.room().size(), ReadBuffer::kSmall - 1);
}

}  // namespace
}  // namespace sidegate::net::read_buffer_test
