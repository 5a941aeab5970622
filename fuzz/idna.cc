// A domain in any octets: its ASCII form is ASCII, is its own, and fits a DNS question; what is ASCII is left alone.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/idna.h"

using namespace sidegate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto made = mail::to_ascii(input);
  if (is_ascii(input)) {
    SIDEGATE_CHECK(made && *made == input);
    return 0;
  }
  if (!made) return 0;
  SIDEGATE_CHECK(is_ascii(*made) && made->size() <= 255);
  SIDEGATE_CHECK(made->find('\0') == std::string::npos);
  SIDEGATE_CHECK(mail::to_ascii(*made).value() == *made);
  return 0;
}
