// A name server's answer: read within its bounds, and addresses only where there is a verdict that says so.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "dns/message.h"
#include "dns/system_files.h"

using namespace sidegate;
using namespace sidegate::dns;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  for (RecordType type : {RecordType::kA, RecordType::kAaaa}) {
    auto answer = read_answer(message, 0x1234, "a.bc", type);
    if (!answer) continue;
    SIDEGATE_CHECK(answer->verdict != Verdict::kPending && answer->verdict != Verdict::kSilent);
    SIDEGATE_CHECK((answer->verdict == Verdict::kFound) == !answer->list.empty());
    SIDEGATE_CHECK(answer->list.size() <= 256);
    for (const auto& address : answer->list) {
      SIDEGATE_CHECK(literal_address(address) == address && is_six(address) == (type == RecordType::kAaaa));
    }
  }
  for (RecordType type : {RecordType::kPtr, RecordType::kMx, RecordType::kTxt, RecordType::kTlsa}) {
    auto answer = read_answer(message, 0x1234, "a.bc", type);
    if (answer) SIDEGATE_CHECK((answer->verdict == Verdict::kFound) == !answer->list.empty());
    if (auto text = record_text(type, message)) SIDEGATE_CHECK(text->size() <= 4 * message.size() + 8);
  }
  // The system's files, which an administrator writes: no bounds are exceeded either.
  SIDEGATE_CHECK(!parse_resolv_conf(message).servers.empty());
  for (const auto& address : find_in_hosts(message, "a.bc")) SIDEGATE_CHECK(literal_address(address).has_value());
  return 0;
}
