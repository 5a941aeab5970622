#include "smtp/client_dots.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sidegate::smtp::client_dots_test {
namespace {

std::string stuffed(std::string_view content, std::size_t piece) {
  DotStuffing stuffing;
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += piece) stuffing.append(out, content.substr(at, piece));
  return out + std::string(stuffing.end());
}

TEST(DotStuffing, Table) {
  struct Case {
    std::string content, expected;
  };
  const Case cases[] = {
      {"", ".\r\n"},
      {"a\r\n", "a\r\n.\r\n"},
      {"a", "a\r\n.\r\n"},
      {".\r\n", "..\r\n.\r\n"},
      {".", "..\r\n.\r\n"},
      {"..\r\n", "...\r\n.\r\n"},
      {"a.b\r\n.c.\r\n", "a.b\r\n..c.\r\n.\r\n"},
      {"a\r\n\r\n", "a\r\n\r\n.\r\n"},
      {"a\r\n.", "a\r\n..\r\n.\r\n"},
      {"a\r\n.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"},
      {"a\n.\nb\r\n", "a\n..\nb\r\n.\r\n"},  // bare LF: the end must not be found inside by anybody
      {"a\r", "a\r\r\n.\r\n"},
      {"a\n", "a\n\r\n.\r\n"},
  };
  for (const Case& c : cases) {
    for (std::size_t piece : {1, 2, 3, 100})
      EXPECT_EQ(stuffed(c.content, piece), c.expected) << c.content << " by " << piece;
  }
}

TEST(DotStuffing, APeerReadsBackWhatWasGiven) {
  rc::check([] {
    auto content = *rc::gen::container<std::string>(rc::gen::element('.', 'a', '\r', '\n'));
    auto piece = *rc::gen::inRange<std::size_t>(1, 5);
    std::string wire = stuffed(content, piece);
    RC_ASSERT(wire.ends_with("\r\n.\r\n") || wire == ".\r\n");
    RC_ASSERT(wire.find("\r\n.\r\n") >= wire.size() - 5);  // nowhere else
    wire.resize(wire.size() - 3);
    std::string back;
    for (std::size_t i = 0; i < wire.size(); ++i) {
      if (wire[i] == '.' && (i == 0 || wire[i - 1] == '\n')) ++i;  // RFC 5321 section 4.5.2, the receiver's half
      back += wire[i];
    }
    RC_ASSERT(back == content || back == content + "\r\n");
  });
}

}  // namespace
}  // namespace sidegate::smtp::client_dots_test
