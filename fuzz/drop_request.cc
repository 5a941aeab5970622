// The request that the set-gid program reads: what it takes is kept as it came, bounded, and without a control
// character.
#include <string_view>

#include "check.h"
#include "drop/request.h"

using namespace sidegate::drop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Request request;
  std::size_t taken = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    const Request::State state = request.take(line);
    if (state == Request::State::kBad) break;
    if (line != kMagic) taken += line.size() + 1;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (state == Request::State::kMessage) {
      SIDEGATE_CHECK(request.lines().find("\nto ") != std::string_view::npos && request.lines().starts_with("from "));
      SIDEGATE_CHECK(request.message_size() <= kMaxMessage);
      break;
    }
  }
  SIDEGATE_CHECK(request.lines().size() <= taken && request.lines().size() <= kMaxEnvelope);
  for (char c : request.lines()) SIDEGATE_CHECK(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  return 0;
}
