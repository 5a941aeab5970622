// DATA content: the first octet chooses how the input is cut, the rest is what a client sends. The reader must agree
// with the plain model about end, content and fault, however the input arrives.
#include <algorithm>
#include <string>

#include "check.h"
#include "smtp/content_model.h"
#include "smtp/dot_reader.h"

using namespace sidegate::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t piece = data[0] % 16 == 0 ? size : data[0] % 16;
  std::size_t max_line = data[0] & 0x80 ? 1000 : 20;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);

  DotReader reader(max_line);
  std::string content;
  std::size_t consumed = 0;
  for (std::size_t at = 0; at < input.size() && !reader.done(); at += piece) {
    std::string own(input.substr(at, piece));
    std::string_view rest = own;
    while (!rest.empty() && !reader.done()) {
      auto step = reader.next(rest);
      SIDEGATE_CHECK(step.consumed > 0 || !step.content.empty());
      content += step.content;
      consumed += step.consumed;
      rest.remove_prefix(step.consumed);
    }
  }

  ModelResult model = model_data(input);
  SIDEGATE_CHECK(reader.done() == model.ended);
  SIDEGATE_CHECK(consumed == model.consumed);
  if (!model.ended) return 0;
  SIDEGATE_CHECK(content == model.content);
  SIDEGATE_CHECK(reader.fault() == model_fault(model.content, max_line));
  if (reader.fault() == ContentFault::kNone) SIDEGATE_CHECK(reader.longest_line() == model_longest_line(model.content));
  SIDEGATE_CHECK(reader.eight_bit() == std::any_of(content.begin(), content.end(), [](char c) { return c < 0; }));
  return 0;
}
