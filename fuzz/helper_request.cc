// What the helper, as root, reads from the server: whatever comes, what is taken is within its bounds and names nothing
// that could lead elsewhere; the content of a mailbox never holds the beginning of another message.
#include <string_view>

#include "check.h"
#include "helper/format.h"
#include "helper/protocol.h"

using namespace sidegate::helper;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto r = decode_request(bytes)) {
    SIDEGATE_CHECK(r->verb == Verb::kHello || is_user_name(r->user));
    SIDEGATE_CHECK(r->user.find('/') == std::string::npos && r->instead.find('/') == std::string::npos);
    SIDEGATE_CHECK(r->place.size() <= kMaxPlace && r->place.find('\0') == std::string::npos);
    bool path = r->verb == Verb::kMaildir || r->verb == Verb::kMbox || r->verb == Verb::kFile;
    SIDEGATE_CHECK(!path || r->place.find("/../") == std::string::npos);
    SIDEGATE_CHECK(r->patience <= kMaxPatience && r->head.size() <= kMaxHead);
    SIDEGATE_CHECK(*decode_request(encode(*r)) == *r);
  }
  if (auto a = decode_answer(bytes)) SIDEGATE_CHECK(*decode_answer(encode(*a)) == *a);
  std::string out;
  UnixLines lines(true);
  for (std::size_t at = 0; at < size; at += 7) lines.push(bytes.substr(at, 7), out);
  lines.finish(out);
  SIDEGATE_CHECK(out.find("\nFrom ") == std::string::npos && !out.starts_with("From "));
  SIDEGATE_CHECK(out.empty() || out.ends_with('\n'));
  return 0;
}
