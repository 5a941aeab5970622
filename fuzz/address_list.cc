// Address lists: what is found is part of the text.
#include <string>
#include <string_view>

#include "check.h"
#include "mail/address_list.h"

using namespace sidegate;
using namespace sidegate::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t total = 0;
  for (const ListedAddress& one : parse_address_list(text)) {
    SIDEGATE_CHECK(!one.address.empty());
    total += one.address.size();
  }
  SIDEGATE_CHECK(total <= 2 * size + 1);
  std::string name = display_name(text);
  for (char c : name)
    SIDEGATE_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && static_cast<signed char>(c) > 0);
  return 0;
}
