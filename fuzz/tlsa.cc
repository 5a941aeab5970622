// TLSA records: from the wire (dns) and as text, there and back; what is usable has a usage that mail knows. And a
// certificate's name against a pattern.
#include <string_view>

#include "check.h"
#include "tls/tlsa.h"

using namespace sidegate::tls;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto record = parse_tlsa(text)) {
    SIDEGATE_CHECK(parse_tlsa(text_of(*record)) == record);
    if (is_usable(*record)) SIDEGATE_CHECK((record->usage == 2 || record->usage == 3) && record->selector <= 1);
  }
  if (size >= 3) {
    const Tlsa record{data[0], data[1], data[2], std::string(text.substr(3))};
    SIDEGATE_CHECK(parse_tlsa(text_of(record)) == record);
    (void)is_usable(record);
  }
  const auto half = text.substr(0, size / 2), rest = text.substr(size / 2);
  if (name_fits(half, rest)) SIDEGATE_CHECK(!half.empty() && !rest.empty());
  return 0;
}
