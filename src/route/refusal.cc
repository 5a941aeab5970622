#include "route/refusal.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::route {
namespace {

// RFC 5321 section 4.5.3.1.5: a reply line has 512 octets at most, code, status and CRLF included.
constexpr std::size_t kMostText = 480;

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find(' '));
}

std::string_view behind(std::string_view text, std::string_view word) {
  text.remove_prefix(word.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

}  // namespace

Result<mail::Reply> read_refusal(std::string_view text) {
  mail::Reply reply(550, {5, 7, 1}, {});
  if (const auto word = first_word(text); word.size() == 3) {
    if (const auto code = parse_number(word); code && *code >= 200) {
      if (*code < 500 || *code > 599)
        return fail(ErrorKind::kBadInput, tr("{} does not refuse for good: such a code begins with 5", word));
      reply.code = static_cast<int>(*code);
      text = behind(text, word);
    }
  }
  if (const auto status = mail::EnhancedCode::parse(first_word(text))) {
    if (status->cls != 5) {
      return fail(ErrorKind::kBadInput,
                  tr("{} does not refuse for good: such a status begins with 5", first_word(text)));
    }
    reply.status = status;
    text = behind(text, first_word(text));
  }
  if (std::ranges::any_of(text, [](char c) { return c < ' ' || c > '~'; }))
    return fail(ErrorKind::kBadInput, _("the text of a reply is printable ASCII"));
  if (text.size() > kMostText)
    return fail(ErrorKind::kBadInput, tr("the text has {} octets; a reply line takes {}", text.size(), kMostText));
  reply.lines = {text.empty() ? std::string("this server does not send there") : std::string(text)};
  return reply;
}

}  // namespace sidegate::route
