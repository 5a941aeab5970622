// Patterns of [[route]] blocks, and texts they are held against: up to the first NUL the pattern, then the text.
#include <string_view>

#include "check.h"
#include "route/regex.h"

using namespace sidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = input.find('\0');
  auto regex = route::Regex::compile(input.substr(0, end));
  if (!regex) {
    SIDEGATE_CHECK(!regex.error().text.empty());
    return 0;
  }
  std::string_view text = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  const bool once = regex->matches(text);
  SIDEGATE_CHECK(regex->matches(text) == once);
  return 0;
}
