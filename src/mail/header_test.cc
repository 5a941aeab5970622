#include "mail/header.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace sidegate::mail::header_test {
namespace {

struct Parts {
  std::string header, body;
};

// Splits a message given in the chunks that `cuts` make of it.
Parts split_message(std::string_view message, const std::vector<std::size_t>& cuts) {
  HeaderSplitter splitter;
  Parts parts;
  std::size_t at = 0;
  auto take_back = [&] {
    parts.body = parts.header.substr(parts.header.size() - splitter.take_back());
    parts.header.resize(parts.header.size() - splitter.take_back());
  };
  auto chunk = [&](std::string_view bytes) {
    if (splitter.done()) {
      parts.body += bytes;
      return;
    }
    std::size_t n = splitter.push(bytes);
    EXPECT_LE(n, bytes.size());
    parts.header += bytes.substr(0, n);
    if (!splitter.done()) {
      EXPECT_EQ(n, bytes.size());
      return;
    }
    EXPECT_LE(splitter.take_back(), parts.header.size());
    take_back();
    parts.body += bytes.substr(n);
  };
  for (std::size_t cut : cuts) {
    chunk(message.substr(at, cut - at));
    at = cut;
  }
  chunk(message.substr(at));
  if (!splitter.done()) {
    splitter.finish();
    take_back();
  }
  return parts;
}

// The header block by the other reader of fields.
std::size_t block_size(std::string_view message) {
  std::size_t at = 0;
  Field field;
  while (detail::next_field(message, at, field)) {
  }
  return at;
}

TEST(HeaderSplitter, WhereTheBlockEnds) {
  struct Case {
    std::string header, body;
  } cases[] = {
      {"A: b\r\n", "\r\nbody\r\n"},
      {"A: b\r\n c\r\n\td\r\nE:f\r\n", "\r\n"},
      {"A: b\r\n", ""},  // no empty line, no body
      {"", ""},
      {"", "\r\nbody\r\n"},
      {"", "no header here\r\nA: b\r\n"},
      {"", "From a@b Sat Jan  1 12:00:00 2000\r\nA: b\r\n"},  // mbox
      {"", " A: b\r\n"},                                      // continues nothing
      {"", ": b\r\n"},
      {"", "\r\rA: b\r\n"},
      {"A: b\r\n", "no field\r\nC: d\r\n"},
      {"A: b\r\n", "From a@b Sat 12:00:00\r\n"},
      {"A: b\r\n", "\rx: c\r\n"},  // a bare CR begins no field
      {">From: b\r\n", "\r\n"},
      {"A : b\r\n", "\r\n"},  // RFC 5322 section 4.5
      {"A \t: b\r\n", "\r\n"},
      {"A:\r\n", "\r\nx"},
      {"A:", ""},
      {"", "A"},
      {"A: b\r\n", "Cut"},
      {"A: b\nC: d\n", "\nlf only\n"},
      {"A: b\r\n \r\nC: d\r\n", "\r\n"},  // a line of white space continues
      {"X-\x7e!#$: b\r\n", "\r\n"},
      {"A: b\r\n", "\xc3\xb6: c\r\n"},
      {std::string(998, 'n') + ": v\r\n", "\r\n"},
      {"", std::string(999, 'n') + ": v\r\n"},
      {"A: " + std::string(300'000, 'v') + "\r\n", "\r\nx"},
      {"", std::string(300'000, 'x')},
  };
  for (const auto& c : cases) {
    std::string message = c.header + c.body;
    Parts whole = split_message(message, {});
    EXPECT_EQ(whole.header.size(), c.header.size()) << printable(message, 80);
    EXPECT_EQ(whole.header, c.header) << printable(message, 80);
    EXPECT_EQ(whole.body, c.body);
    EXPECT_EQ(block_size(message), c.header.size()) << printable(message, 80);
    if (message.size() > 5000) continue;
    std::vector<std::size_t> every;
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      Parts parts = split_message(message, {cut});
      ASSERT_EQ(parts.header, c.header) << "cut at " << cut << " of " << printable(message, 80);
      ASSERT_EQ(parts.body, c.body);
      every.push_back(cut);
    }
    EXPECT_EQ(split_message(message, every).header, c.header);
  }
}

TEST(HeaderSplitter, AnyMessageInAnyChunks) {
  auto octet = rc::gen::element<char>('\r', '\n', ':', ' ', '\t', 'a', 'B', '-', '\xc3', '\0');
  rc::check("header + body is the message, whatever the chunks", [&] {
    auto message = *rc::gen::container<std::string>(octet);
    auto cuts = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, message.size() + 1));
    std::sort(cuts.begin(), cuts.end());
    Parts whole = split_message(message, {}), parts = split_message(message, cuts);
    RC_ASSERT(parts.header + parts.body == message);
    RC_ASSERT(parts.header == whole.header);
    RC_ASSERT(block_size(message) == whole.header.size());
  });
}

TEST(HeaderSplitter, PublicMessages) {
  const char* set = std::getenv("SIDEGATE_CASES");
  std::filesystem::path cases = set != nullptr ? set : SIDEGATE_SOURCE_DIR "/../shared/cases";
  std::error_code error;
  unsigned count = 0, with_header = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cases / "messages", error)) {
    if (!entry.is_regular_file() || entry.path().parent_path() == cases / "messages") continue;
    std::stringstream read;
    read << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    std::string message = read.str();
    Parts whole = split_message(message, {});
    EXPECT_EQ(whole.header + whole.body, message) << entry.path();
    EXPECT_EQ(block_size(message), whole.header.size()) << entry.path();
    std::vector<std::size_t> cuts;
    for (std::size_t at = 7; at < message.size(); at += 7) cuts.push_back(at);
    Parts parts = split_message(message, cuts);
    EXPECT_EQ(parts.header, whole.header) << entry.path();
    ++count;
    with_header += !whole.header.empty();
  }
  if (count == 0) GTEST_SKIP() << "no messages under " << cases;
  EXPECT_GT(with_header, count / 2);
}

TEST(Header, Fields) {
  std::string_view block = "Received: one\r\n\tmore\r\nSubject:  a\r\n b \r\nTO:x\r\nreceived: two\r\n";
  std::vector<std::string> names;
  for_each_field(block, [&](const Field& field) {
    names.emplace_back(field.name);
    return true;
  });
  EXPECT_EQ(names, (std::vector<std::string>{"Received", "Subject", "TO", "received"}));
  EXPECT_EQ(count_field(block, "RECEIVED"), 2u);
  EXPECT_TRUE(has_field(block, "to"));
  EXPECT_FALSE(has_field(block, "t"));
  EXPECT_EQ(field_value(block, "subject"), "a b");
  EXPECT_EQ(field_value(block, "received"), "one\tmore");
  EXPECT_EQ(field_value(block, "none"), "");
  unsigned seen = 0;
  for_each_field(block, [&](const Field&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2u);
}

}  // namespace
}  // namespace sidegate::mail::header_test
