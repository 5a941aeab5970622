// Mailboxes, paths and host names: what is taken holds no control characters, is as long as it says and comes back.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "mail/mailbox.h"

using namespace sidegate;
using namespace sidegate::mail;

namespace {

bool clean(std::string_view text) {
  for (char c : text) {
    if (is_control(c)) return false;
  }
  return true;
}

void check_mailbox(const Mailbox& mailbox, bool utf8) {
  std::string text = mailbox.text();
  SIDEGATE_CHECK(clean(text));
  SIDEGATE_CHECK(utf8 ? is_utf8(text) : is_ascii(text));
  SIDEGATE_CHECK(!mailbox.local().empty() && mailbox.local().size() <= 64 && mailbox.domain().size() <= 255);
  SIDEGATE_CHECK(!mailbox.domain().empty() || iequals(mailbox.local(), "postmaster"));
  auto again = Mailbox::parse(text, utf8);
  SIDEGATE_CHECK(again && *again == mailbox && again->text() == text);
  SIDEGATE_CHECK(Mailbox::parse(text, true));  // what is taken in ASCII is taken with SMTPUTF8
  auto path = parse_path("<" + text + ">", utf8);
  SIDEGATE_CHECK(path && path->mailbox == mailbox && path->length == text.size() + 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (bool utf8 : {false, true}) {
    auto mailbox = Mailbox::parse(text, utf8);
    SIDEGATE_CHECK(mailbox.has_value() == is_mailbox(text, utf8));
    if (mailbox) {
      SIDEGATE_CHECK(mailbox->text() == text);
      check_mailbox(*mailbox, utf8);
    } else {
      SIDEGATE_CHECK(clean(mailbox.error().text));
    }
    auto path = parse_path(text, utf8);
    if (path) {
      SIDEGATE_CHECK(path->length <= size && text[path->length - 1] == '>');
      SIDEGATE_CHECK(clean(text.substr(0, path->length)));
      SIDEGATE_CHECK(path->is_null == path->mailbox.empty());
      SIDEGATE_CHECK(parse_path(text.substr(0, path->length), utf8));  // what follows the path changes nothing
      bool bare = path->mailbox.domain().empty() && !iequals(path->mailbox.local(), "postmaster");
      if (bare) {
        SIDEGATE_CHECK(clean(path->mailbox.local()) && path->mailbox.local().size() <= 64);
        if (!path->is_null) SIDEGATE_CHECK(Mailbox::parse(path->mailbox.local() + "@a", utf8));
      } else {
        check_mailbox(path->mailbox, utf8);
      }
    }
    if (is_domain(text, utf8)) SIDEGATE_CHECK(clean(text) && size <= 255);
  }
  if (is_helo_name(text)) SIDEGATE_CHECK(clean(text) && is_ascii(text) && text.find_first_of(" ()\\\"") == text.npos);
  return 0;
}
