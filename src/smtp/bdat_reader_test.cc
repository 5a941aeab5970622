#include "smtp/bdat_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "smtp/content_model.h"

namespace sidegate::smtp::bdat_reader_test {
namespace {

// Gives `chunks` one after the other, the last one as LAST; returns what was read.
std::string read(BdatReader& reader, const std::vector<std::string>& chunks) {
  std::string content;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    reader.begin_chunk(chunks[i].size(), i + 1 == chunks.size());
    std::string bytes = chunks[i] + "NOOP\r\n";
    if (!reader.chunk_done()) content += reader.next(bytes);
    EXPECT_TRUE(reader.chunk_done());
  }
  return content;
}

struct Case {
  const char* why;
  std::vector<std::string> chunks;
  ContentFault fault;
};
const Case kCases[] = {
    {"one chunk", {"a\r\n"}, ContentFault::kNone},
    {"no dot has a meaning", {"a\r\n.\r\n..b\r\n"}, ContentFault::kNone},
    {"empty", {""}, ContentFault::kNone},
    {"no CRLF at the end", {"abc"}, ContentFault::kNone},
    {"CRLF over the border", {"a\r", "\nb\r\n"}, ContentFault::kNone},
    {"bare CR over the border", {"a\r", "b\r\n"}, ContentFault::kBareCr},
    {"bare LF over the border", {"a", "\nb\r\n"}, ContentFault::kBareLf},
    {"CR at the very end", {"a\r"}, ContentFault::kBareCr},
    {"CR at the end, then BDAT 0 LAST", {"a\r", ""}, ContentFault::kBareCr},
    {"NUL", {std::string("a\0", 2)}, ContentFault::kNul},
    {"line over the limit in two chunks", {std::string(600, 'x'), std::string(600, 'x')}, ContentFault::kLineTooLong},
};

TEST(BdatReader, Cases) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    BdatReader reader(1000);
    std::string all;
    for (const auto& chunk : c.chunks) all += chunk;
    EXPECT_EQ(read(reader, c.chunks), all);
    EXPECT_EQ(reader.fault(), c.fault);
  }
}

TEST(BdatReader, HugeChunk) {
  BdatReader reader(1000);
  reader.begin_chunk(~0ull, true);
  EXPECT_EQ(reader.next("abc\r\n"), "abc\r\n");
  EXPECT_EQ(reader.left(), ~0ull - 5);
}

TEST(BdatReader, ChunkBordersChangeNothing) {
  auto octet = rc::gen::element<char>('\r', '\n', '.', 'a', '\0');
  bool good = rc::check("fault of the whole", [&] {
    auto chunks =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(rc::gen::container<std::string>(octet)));
    std::string all;
    for (const auto& chunk : chunks) all += chunk;
    BdatReader reader(20);
    RC_ASSERT(read(reader, chunks) == all);
    RC_ASSERT(reader.fault() == model_fault(all, 20));
  });
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace sidegate::smtp::bdat_reader_test
