// Recipient lists of relay domains: every entry is in lower case and (of ASCII) a part of the text, and what is
// listed is found again.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "intake/relay_domains.h"

using namespace sidegate;
using namespace sidegate::intake;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string lowered = lower(text);
  const auto list = parse_recipient_list(text);
  RelayDomains domains({{"example.org", RecipientCheck::kList, std::string(text)}}, "+");
  const RelayDomain* domain = domains.find("Example.ORG");
  SIDEGATE_CHECK(domain != nullptr);
  for (const std::string& entry : list) {
    SIDEGATE_CHECK(!entry.empty() && entry == lower(entry));
    if (is_ascii(text)) SIDEGATE_CHECK(lowered.find(entry) != std::string::npos);
    SIDEGATE_CHECK(entry.find_first_of(" \t\r\n#:") == std::string::npos);
    SIDEGATE_CHECK(domains.lists(*domain, entry));
  }
  if (list.empty()) SIDEGATE_CHECK(!domains.lists(*domain, "taro"));
  return 0;
}
