// What a stranger's DNS and HTTPS server say (MTA-STS), and what lies on our own disk of it. A record or policy that is
// taken is one that could be written down again.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mta_sts/cache.h"
#include "mta_sts/record.h"

using namespace sidegate;
using namespace sidegate::mta_sts;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> texts;
  for (std::string_view line : split(bytes, '\n')) texts.emplace_back(line);
  if (auto record = find_record(texts)) SIDEGATE_CHECK(!record->id.empty() && record->id.size() <= 32);
  if (auto policy = parse_policy(bytes)) {
    SIDEGATE_CHECK(policy->max_age <= kLongestAge && (policy->mode == Mode::kNone || !policy->mx.empty()));
    std::string again;
    for (const std::string& line : lines_of(*policy)) again += line + "\r\n";
    auto read = parse_policy(again);
    SIDEGATE_CHECK(read && *read == *policy);
    for (const std::string& pattern : policy->mx)
      SIDEGATE_CHECK(matches(*policy, pattern.starts_with("*.") ? "a" + pattern.substr(1) : pattern));
  }
  if (auto entry = decode(bytes)) SIDEGATE_CHECK(decode(encode(*entry))->policy->mx == entry->policy->mx);
  return 0;
}
