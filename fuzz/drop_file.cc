// A file of the drop directory, which any user may have written: a heading within the text, clean addresses; and what
// the set-gid program would write from a request is read back.
#include <string>
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "intake/drop_file.h"

using namespace sidegate;
using namespace sidegate::intake;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_drop_name(text);
  (void)is_unfinished_drop(text);
  auto heading = parse_drop(text);
  if (!heading) return 0;
  SIDEGATE_CHECK(heading->message_at <= size && heading->message_at > 0 && text[heading->message_at - 1] == '\n');
  SIDEGATE_CHECK(!heading->envelope.recipients.empty());
  for (const mail::Recipient& to : heading->envelope.recipients) {
    SIDEGATE_CHECK(!to.address.empty());
    for (char c : to.address) SIDEGATE_CHECK(!is_control(c));
  }
  return 0;
}
