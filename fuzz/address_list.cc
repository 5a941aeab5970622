// Address lists: what is found is part of the text, and qualifying a header block changes nothing but where a domain
// was missing.
#include <string>
#include <string_view>

#include "check.h"
#include "mail/address_list.h"
#include "mail/header.h"

using namespace sidegate;
using namespace sidegate::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t total = 0;
  for (const ListedAddress& one : parse_address_list(text)) {
    SIDEGATE_CHECK(!one.address.empty());
    SIDEGATE_CHECK(one.domain_at == ListedAddress::kQualified || one.domain_at <= text.size());
    total += one.address.size();
  }
  SIDEGATE_CHECK(total <= 2 * size + 1);
  std::string qualified = qualify_header(text, "h.example");
  SIDEGATE_CHECK(qualified.size() >= text.size());
  if (qualified.size() == text.size()) SIDEGATE_CHECK(qualified == text);
  std::string name = display_name(text);
  for (char c : name)
    SIDEGATE_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && static_cast<signed char>(c) > 0);
  return 0;
}
