// Command lines as a server session sees them: what is taken is clean, bounded and well formed; what is refused is told
// with a 5yz and an enhanced code, and no control character goes back.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "smtp/command.h"

using namespace sidegate;
using namespace sidegate::smtp;

namespace {

bool clean(std::string_view text) {
  return !has_control(text);
}

void check_refusal(const mail::Reply& reply) {
  SIDEGATE_CHECK(reply.permanent() && reply.status && reply.status->cls == 5);
  std::string wire = reply.wire();
  SIDEGATE_CHECK(wire.ends_with("\r\n") && clean(wire.substr(0, wire.size() - 2)));
}

void check_path(const mail::Path& path, bool utf8) {
  SIDEGATE_CHECK(path.is_null == path.mailbox.empty());
  SIDEGATE_CHECK(clean(path.mailbox.text()));
  SIDEGATE_CHECK(utf8 || is_ascii(path.mailbox.text()));
}

void check_mail(std::string_view arguments) {
  auto command = parse_mail(arguments);
  if (!command) return check_refusal(command.error());
  check_path(command->path, command->smtputf8);
  SIDEGATE_CHECK(command->envid.size() <= 100 && is_xtext(command->envid));
}

void check_rcpt(std::string_view arguments, bool utf8) {
  auto command = parse_rcpt(arguments, utf8);
  if (!command) return check_refusal(command.error());
  check_path(command->path, utf8);
  SIDEGATE_CHECK(!command->path.is_null);
  SIDEGATE_CHECK(command->orcpt.size() <= 500 && clean(command->orcpt));
  SIDEGATE_CHECK(command->orcpt.empty() || is_orcpt(command->orcpt, utf8));
  const mail::Notify& notify = command->notify;
  SIDEGATE_CHECK(!notify.never || !(notify.success || notify.failure || notify.delay));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view line(reinterpret_cast<const char*>(data), size);
  CommandLine command = split_command(line);
  SIDEGATE_CHECK(command.verb.find(' ') == std::string_view::npos);
  SIDEGATE_CHECK(command.verb.size() + command.arguments.size() <= size);
  if (!clean(line)) return 0;  // the session refuses it before any parser sees it
  check_mail(command.arguments);
  for (bool utf8 : {false, true}) check_rcpt(command.arguments, utf8);
  if (auto bdat = parse_bdat(command.arguments); !bdat) check_refusal(bdat.error());
  auto helo = parse_helo(command.arguments);
  if (helo) {
    SIDEGATE_CHECK(!helo->empty() && clean(*helo));  // whatever a device calls itself
  } else {
    check_refusal(helo.error());
  }
  return 0;
}
