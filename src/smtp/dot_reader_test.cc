#include "smtp/dot_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "smtp/content_model.h"

namespace sidegate::smtp::dot_reader_test {
namespace {

constexpr std::size_t kMaxLine = 1000;

struct Read {
  std::string content;
  std::size_t consumed = 0;
  bool done = false;
  ContentFault fault = ContentFault::kNone;
  bool eight_bit = false;
  std::size_t longest = 0;
  bool operator==(const Read&) const = default;
};

// Reads `input` in pieces: piece(left) says how long the next one is.
template <typename Piece>
Read read(std::string_view input, Piece piece, std::size_t max_line = kMaxLine) {
  DotReader reader(max_line);
  Read result;
  while (!input.empty() && !reader.done()) {
    std::string_view part = input.substr(0, piece(input.size()));
    std::string own(part);  // so that a view beyond the piece is found by the sanitizer
    std::string_view rest = own;
    while (!rest.empty() && !reader.done()) {
      auto step = reader.next(rest);
      result.content += step.content;
      result.consumed += step.consumed;
      rest.remove_prefix(step.consumed);
    }
    input.remove_prefix(part.size());
  }
  result.done = reader.done();
  result.fault = reader.fault();
  result.eight_bit = reader.eight_bit();
  result.longest = reader.longest_line();
  return result;
}
Read read_whole(std::string_view input, std::size_t max_line = kMaxLine) {
  return read(input, [](std::size_t left) { return left; }, max_line);
}
Read read_octets(std::string_view input) {
  return read(input, [](std::size_t) { return std::size_t{1}; });
}

struct Case {
  const char* why;
  std::string_view input;
  std::string_view content;
  bool done;
  ContentFault fault;
};
using namespace std::string_view_literals;

const Case kCases[] = {
    {"empty message", ".\r\n", "", true, ContentFault::kNone},
    {"one line", "a\r\n.\r\n", "a\r\n", true, ContentFault::kNone},
    {"what follows is not read", "a\r\n.\r\nQUIT\r\n", "a\r\n", true, ContentFault::kNone},
    {"a dot is removed", "..a\r\n...\r\n.b\r\n.\r\n", ".a\r\n..\r\nb\r\n", true, ContentFault::kNone},
    {"a dot inside a line stays", "a.b\r\n.\r\n", "a.b\r\n", true, ContentFault::kNone},
    {"not ended", "a\r\n.", "a\r\n", false, ContentFault::kNone},
    {"LF.LF", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, ContentFault::kBareLf},
    {"CR.CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true, ContentFault::kBareCr},
    {"LF.CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, ContentFault::kBareLf},
    {"CRLF.LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, ContentFault::kBareLf},
    {"CRLF.CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true, ContentFault::kBareCr},
    {"CR.CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, ContentFault::kBareCr},
    {"CRLF.CRCRLF", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", true, ContentFault::kBareCr},
    {"CRCRLF.CRLF ends: a CRLF stands there", "a\r\r\n.\r\n", "a\r\r\n", true, ContentFault::kBareCr},
    {"CRLF.NUL", "a\r\n.\0\r\n.\r\n"sv, "a\r\n\0\r\n"sv, true, ContentFault::kNul},
    {"CRLF NUL .CRLF", "a\r\n\0.\r\nb\r\n.\r\n"sv, "a\r\n\0.\r\nb\r\n"sv, true, ContentFault::kNul},
    {"lone LF at the start", "\n.\r\n.\r\n", "\n.\r\n", true, ContentFault::kBareLf},
    {"the first fault is told", "a\nb\0\r\n.\r\n"sv, "a\nb\0\r\n"sv, true, ContentFault::kBareLf},
};

TEST(DotReader, Cases) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    for (const Read& result : {read_whole(c.input), read_octets(c.input)}) {
      EXPECT_EQ(result.content, c.content);
      EXPECT_EQ(result.done, c.done);
      EXPECT_EQ(result.fault, c.fault);
    }
  }
}

TEST(DotReader, LineLimitCountsCrlfAndNoStuffedDot) {
  std::string line(998, 'x');
  EXPECT_EQ(read_whole(line + "\r\n.\r\n").fault, ContentFault::kNone);
  EXPECT_EQ(read_whole("." + line + "\r\n.\r\n").fault, ContentFault::kNone);
  EXPECT_EQ(read_whole("x" + line + "\r\n.\r\n").fault, ContentFault::kLineTooLong);
  EXPECT_EQ(read_octets("x" + line + "\r\n.\r\n").fault, ContentFault::kLineTooLong);
}

TEST(DotReader, NotesWhatWaysOutNeed) {
  Read result = read_whole("abc\r\n\xc3\xa4\xc3\xb6\xc3\xbc\r\n.\r\n");
  EXPECT_TRUE(result.eight_bit);
  EXPECT_EQ(result.longest, 6u);
  EXPECT_FALSE(read_whole("abc\r\n.\r\n").eight_bit);
}

// Against the model: any input made of what matters, any split.
TEST(DotReader, AgreesWithTheModelAtEverySplit) {
  auto octet = rc::gen::element<char>('\r', '\n', '.', 'a', '\r', '\n', '.', '\0', '\x80');
  auto word = rc::gen::element<std::string>("\r\n", "\r\n.", "\r\n.\r", "\r\n.\r\n", "text", "\n.\n", "..",
                                            std::string(50, 'x'));
  bool good = rc::check("reader equals model", [&] {
    auto words = *rc::gen::container<std::vector<std::string>>(
        rc::gen::oneOf(word, rc::gen::map(octet, [](char c) { return std::string(1, c); })));
    std::string input;
    for (const auto& w : words) input += w;
    ModelResult model = model_data(input);
    Read result = read(
        input, [](std::size_t left) { return std::min<std::size_t>(left, *rc::gen::inRange<std::size_t>(1, 9)); }, 40);
    RC_ASSERT(result.done == model.ended);
    RC_ASSERT(result.consumed == model.consumed);
    if (!model.ended) return;  // a CR or a dot at the end may be held back
    RC_ASSERT(result.content == model.content);
    RC_ASSERT(result.fault == model_fault(model.content, 40));
    if (result.fault == ContentFault::kNone) RC_ASSERT(result.longest == model_longest_line(model.content));
  });
  EXPECT_TRUE(good);
}

// Long inputs, so that the fast path over blocks is met; a fault at any place is found.
TEST(DotReader, FaultsAreFoundInTheFastPath) {
  std::string text;
  for (int i = 0; text.size() < 40'000; ++i) text += std::string(60 + i % 17, 'x') + "\r\n";
  EXPECT_EQ(read_whole(text + ".\r\n").fault, ContentFault::kNone);
  for (std::size_t at = 0; at < text.size(); at += 97) {
    for (char c : {'\r', '\n', '\0'}) {
      std::string bad = text;
      bad.insert(at, 1, c);
      ASSERT_EQ(read_whole(bad + ".\r\n").fault, model_fault(bad, kMaxLine)) << at << " " << int(c);
    }
  }
}

}  // namespace
}  // namespace sidegate::smtp::dot_reader_test
