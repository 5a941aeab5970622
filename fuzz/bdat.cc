// BDAT content: chunks of the sizes that the input itself gives, read in pieces. Nothing is lost or added, not one
// octet behind a chunk is taken, and borders of chunks do not change what is a fault.
#include <algorithm>
#include <string>

#include "check.h"
#include "smtp/bdat_reader.h"
#include "smtp/content_model.h"

using namespace sidegate::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t piece = data[0] % 16 + 1;
  std::size_t max_line = data[0] & 0x80 ? 1000 : 20;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  BdatReader reader(max_line);
  std::string content, all;
  bool last = false;
  while (!last) {
    std::size_t chunk = 0;
    if (!input.empty()) {
      chunk = static_cast<unsigned char>(input.front());
      input.remove_prefix(1);
    }
    last = chunk >= input.size();
    chunk = std::min(chunk, input.size());
    all += input.substr(0, chunk);
    reader.begin_chunk(chunk, last);
    while (!reader.chunk_done()) {
      std::string own(input.substr(0, piece));
      std::string_view taken = reader.next(own);
      SIDEGATE_CHECK(!taken.empty());
      content += taken;
      input.remove_prefix(taken.size());
    }
  }
  SIDEGATE_CHECK(content == all);
  SIDEGATE_CHECK(reader.fault() == model_fault(all, max_line));
  SIDEGATE_CHECK(reader.eight_bit() == std::any_of(all.begin(), all.end(), [](char c) { return c < 0; }));
  return 0;
}
