#include "submit/text_reader.h"

#include <gtest/gtest.h>

namespace sidegate::submit::text_reader_test {
namespace {

struct Read {
  std::string header, body;
  bool ended = false, eight_bit = false;
};

Read read(std::string_view text, bool dot_ends = true, std::size_t pieces = 1 << 20) {
  TextReader reader(dot_ends);
  Read out;
  while (!text.empty()) {
    std::string_view piece = text.substr(0, pieces);
    text.remove_prefix(piece.size());
    if (!reader.push(piece)) {
      out.ended = true;
      break;
    }
    out.body += reader.take_body();
  }
  reader.finish();
  out.body += reader.take_body();
  out.header = reader.header();
  out.eight_bit = reader.eight_bit();
  return out;
}

TEST(TextReader, EndsOfLines) {
  struct Case {
    const char* name;
    std::string text, header, body;
  };
  const Case cases[] = {
      {"LF", "A: b\n\nhi\n", "A: b\r\n", "hi\r\n"},
      {"CRLF", "A: b\r\n\r\nhi\r\n", "A: b\r\n", "hi\r\n"},
      {"CR CR LF", "A: b\r\r\n\r\r\nhi\r\r\n", "A: b\r\n", "hi\r\n"},
      {"mixed", "A: b\r\nC: d\n\nhi\nyou\r\n", "A: b\r\nC: d\r\n", "hi\r\nyou\r\n"},
      {"no end", "A: b\n\nhi", "A: b\r\n", "hi\r\n"},
      {"no body", "A: b\n", "A: b\r\n", ""},
      {"empty", "", "", ""},
      {"no header", "hello\nworld\n", "", "hello\r\nworld\r\n"},
      {"empty line first", "\nA: b\n", "", "A: b\r\n"},
      {"no empty line", "A: b\nhello there\n", "A: b\r\n", "hello there\r\n"},
      {"folded", "A: b\n c\n\td\n\nx\n", "A: b\r\n c\r\n\td\r\n", "x\r\n"},
      {"mbox line", "From root Sat Nov 22\nA: b\n\nFrom x\n", "A: b\r\n", "From x\r\n"},
      {"a field of old", "From : a@b\n\nx\n", "From : a@b\r\n", "x\r\n"},
      {"quoted mbox line", ">From root Sat\nA: b\n\nx\n", "A: b\r\n", "x\r\n"},
      {"CR in a subject is no end", "Subject: a\rBcc: c@x\n\nx\n", "Subject: a Bcc: c@x\r\n", "x\r\n"},
      {"CR in the body", "A: b\n\n10%\r20%\n", "A: b\r\n", "10%\r\n20%\r\n"},
      {"NUL", std::string("A: b\0c\n\nx\0y\n", 12), "A: bc\r\n", "xy\r\n"},
      {"dot", "A: b\n\nx\n.\ny\n", "A: b\r\n", "x\r\n"},
      {"dot with CRLF", "A: b\r\n\r\nx\r\n.\r\ny\r\n", "A: b\r\n", "x\r\n"},
      {"dot in the header", "A: b\n.\nc: d\n", "A: b\r\n", ""},
      {"dots", "A: b\n\n..\n.x\n", "A: b\r\n", "..\r\n.x\r\n"},
      {"dot without an end", "A: b\n\nx\n.", "A: b\r\n", "x\r\n"},
  };
  for (const Case& c : cases) {
    for (std::size_t pieces : {1u << 20, 1u, 2u, 3u}) {
      Read got = read(c.text, true, pieces);
      EXPECT_EQ(got.header, c.header) << c.name;
      EXPECT_EQ(got.body, c.body) << c.name;
    }
  }
}

TEST(TextReader, ADotIsTextWithI) {
  Read got = read("A: b\n\nx\n.\ny\n", false);
  EXPECT_EQ(got.body, "x\r\n.\r\ny\r\n");
  EXPECT_FALSE(got.ended);
  EXPECT_TRUE(read("A: b\n\nx\n.\ny\n").ended);
}

TEST(TextReader, LongLinesAreBroken) {
  for (std::size_t pieces : {1u << 20, 1000u, 7u}) {
    std::string body(200'000, 'x');
    Read got = read("A: b\n\n" + body + "\n", true, pieces);
    std::string joined;
    std::size_t longest = 0, line = 0;
    for (std::size_t i = 0; i < got.body.size(); ++i) {
      if (got.body.compare(i, 3, "\r\n ") == 0) {
        i += 2;
        longest = std::max(longest, line);
        line = 1;
        continue;
      }
      joined += got.body[i];
      ++line;
    }
    EXPECT_EQ(joined, body + "\r\n");
    EXPECT_LE(longest, TextReader::kLongestLine + 1);
    std::string to = "To: ";
    for (int i = 0; i < 5000; ++i) to += "user" + std::to_string(i) + "@some.example, ";
    got = read(to + "\n\nx\n", true, pieces);
    EXPECT_EQ(got.body, "x\r\n");
    for (std::size_t at = got.header.find("\r\n "); at != std::string::npos; at = got.header.find("\r\n ", at + 1))
      EXPECT_TRUE(got.header[at - 1] == ' ' || got.header[at - 1] == ',') << got.header.substr(at - 20, 40);
  }
}

TEST(TextReader, EightBit) {
  EXPECT_FALSE(read("A: b\n\nx\n").eight_bit);
  EXPECT_TRUE(read("A: b\n\n\xe5\xb1\xb1\n").eight_bit);
}

}  // namespace
}  // namespace sidegate::submit::text_reader_test
