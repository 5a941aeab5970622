// A peer's reply, line by line: bounded, clean, and its wire form reads back as the same.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/reply.h"

using namespace sidegate;
using namespace sidegate::mail;

namespace {

void check_wire(const Reply& reply) {
  std::string wire = reply.wire();
  SIDEGATE_CHECK(wire.ends_with("\r\n"));
  auto lines = split(wire, '\n');
  lines.pop_back();
  SIDEGATE_CHECK(lines.size() == reply.lines.size());
  ReplyParser parser;
  bool cut = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    SIDEGATE_CHECK(lines[i].size() <= 511 && lines[i].ends_with('\r'));  // RFC 5321 section 4.5.3.1.5
    lines[i].remove_suffix(1);
    cut |= lines[i].size() >= 500;
    for (char c : lines[i]) SIDEGATE_CHECK(!is_control(c));
    auto step = parser.push(lines[i]);
    SIDEGATE_CHECK(step && (*step == ReplyParser::Step::kDone) == (i + 1 == lines.size()));
  }
  Reply again = parser.take();
  SIDEGATE_CHECK(again.code == reply.code && again.status == reply.status);
  if (!cut) SIDEGATE_CHECK(again.wire() == wire);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto code = EnhancedCode::parse(text)) SIDEGATE_CHECK(code->text() == text);
  ReplyParser parser;
  std::size_t lines = 0, octets = 0;
  for (std::string_view line : split(text, '\n')) {
    ++lines;
    octets += line.size();
    auto step = parser.push(line);
    if (!step) {
      SIDEGATE_CHECK(step.error().kind == ErrorKind::kProtocol && is_utf8(step.error().text));
      lines = octets = 0;
      continue;
    }
    SIDEGATE_CHECK(lines <= 100 && octets <= 64 * 1024);
    if (*step == ReplyParser::Step::kMore) continue;
    Reply reply = parser.take();
    SIDEGATE_CHECK(reply.code >= 200 && reply.code < 600 && reply.lines.size() == lines);
    SIDEGATE_CHECK(!reply.status || reply.status->cls == reply.code / 100);
    check_wire(reply);
    lines = octets = 0;
  }
  return 0;
}
