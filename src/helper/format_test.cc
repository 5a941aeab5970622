#include "helper/format.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace sidegate::helper::format_test {
namespace {

std::string formatted(std::string_view in, bool quote, std::size_t piece = 1000) {
  UnixLines lines(quote);
  std::string out;
  for (std::size_t at = 0; at < in.size(); at += piece) lines.push(in.substr(at, piece), out);
  lines.finish(out);
  return out;
}

TEST(UnixLines, Table) {
  struct Case {
    const char *in, *plain, *quoted;
  };
  const Case kCases[] = {
      {"", "", ""},
      {"a: b\r\n\r\nc\r\n", "a: b\n\nc\n", "a: b\n\nc\n"},
      {"no end", "no end\n", "no end\n"},
      {"From here\r\n", "From here\n", ">From here\n"},
      {"x\r\nFrom here\r\nFromage\r\n From\r\n>From x\r\n", "x\nFrom here\nFromage\n From\n>From x\n",
       "x\n>From here\nFromage\n From\n>From x\n"},
      {"From", "From\n", "From\n"},
      {"Fro\r\nFrom \r\n", "Fro\nFrom \n", "Fro\n>From \n"},
      {"a\rb\r\n\r", "a\rb\n\r\n", "a\rb\n\r\n"},
      {"FFrom \r\nFrFrom x", "FFrom \nFrFrom x\n", "FFrom \nFrFrom x\n"},
  };
  for (const Case& c : kCases) {
    for (std::size_t piece : {1u, 2u, 3u, 1000u}) {
      EXPECT_EQ(formatted(c.in, false, piece), c.plain) << c.in << piece;
      EXPECT_EQ(formatted(c.in, true, piece), c.quoted) << c.in << piece;
    }
  }
}

RC_GTEST_PROP(UnixLines, PiecesDoNotMatterAndNoLineLooksLikeAMessage, (std::string tail, std::uint8_t piece)) {
  std::string in = "F\r\nFrom \r\nFr" + tail + "\r\nFrom " + tail;
  std::string whole = formatted(in, true);
  RC_ASSERT(formatted(in, true, piece % 7 + 1u) == whole);
  RC_ASSERT(whole.find("\nFrom ") == std::string::npos);
  RC_ASSERT(!whole.starts_with("From "));
}

}  // namespace
}  // namespace sidegate::helper::format_test
