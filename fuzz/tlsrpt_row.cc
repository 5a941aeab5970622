// A day's counters as they lie on disk: what is taken is written down the same, and as JSON.
#include <string_view>

#include "check.h"
#include "tlsrpt/report.h"
#include "tlsrpt/row.h"

using namespace sidegate::tlsrpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto day = decode(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!day) return 0;
  SIDEGATE_CHECK(day->policies.size() <= kMostPolicies);
  auto again = decode(encode(*day));
  SIDEGATE_CHECK(again && json(*again) == json(*day));
  return 0;
}
