// A message in chunks: header and body are the message, wherever the chunks end, and both readers of fields agree.
// The first octet of the input chooses the chunks.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/header.h"

using namespace sidegate;
using namespace sidegate::mail;

namespace {

struct Parts {
  std::string header, body;
};

Parts split_message(std::string_view message, std::size_t chunk_size) {
  HeaderSplitter splitter;
  Parts parts;
  auto take_back = [&] {
    SIDEGATE_CHECK(splitter.take_back() <= std::min(parts.header.size(), HeaderSplitter::kNameLimit));
    parts.body = parts.header.substr(parts.header.size() - splitter.take_back());
    parts.header.resize(parts.header.size() - splitter.take_back());
  };
  while (!message.empty()) {
    std::string_view chunk = message.substr(0, chunk_size);
    message.remove_prefix(chunk.size());
    if (splitter.done()) {
      parts.body += chunk;
      continue;
    }
    std::size_t n = splitter.push(chunk);
    SIDEGATE_CHECK(n <= chunk.size() && (splitter.done() || n == chunk.size()));
    parts.header += chunk.substr(0, n);
    if (!splitter.done()) continue;
    take_back();
    parts.body += chunk.substr(n);
  }
  if (!splitter.done()) {
    splitter.finish();
    take_back();
  }
  return parts;
}

void check_fields(std::string_view header) {
  unsigned count = 0;
  std::size_t octets = 0;
  for_each_field(header, [&](const Field& field) {
    ++count;
    octets += field.name.size() + field.value.size() + 1;
    SIDEGATE_CHECK(!field.name.empty() && field.name.find_first_of(": \t\r\n") == field.name.npos);
    SIDEGATE_CHECK(has_field(header, field.name) && count_field(header, field.name) > 0);
    std::string value = field_value(header, field.name);
    SIDEGATE_CHECK(value.find_first_of("\r\n") == value.npos);
    return count < 50;
  });
  SIDEGATE_CHECK(octets <= header.size() && (count > 0) == !header.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t chunk_size = static_cast<std::size_t>(data[0] % 32) + 1;
  std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
  Parts whole = split_message(message, std::max<std::size_t>(message.size(), 1));
  Parts parts = split_message(message, chunk_size);
  SIDEGATE_CHECK(whole.header + whole.body == message);
  SIDEGATE_CHECK(parts.header == whole.header && parts.body == whole.body);
  std::size_t at = 0;
  Field field;
  while (detail::next_field(message, at, field)) {
  }
  SIDEGATE_CHECK(at == whole.header.size());
  check_fields(whole.header);
  return 0;
}
