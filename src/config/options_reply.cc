// The [[reply]] blocks.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/options.h"
#include "provider/reply_table.h"

namespace sidegate::config {

using deliver::ReplyRule;

Table reply_table() {
  using enum Apply;
  using enum Secrecy;
  return {
      "reply",
      true,
      N_("What a server's reply means, where the built-in rules (`sidegate explain reply`) read it wrongly. All that a "
         "block names must fit; the first block that fits counts, before the built-in rules."),
      {
          {"way", Place(&ReplyRule::ways), "", kAny, kLive, kOpen,
           N_("Said by which ways out: names of relays, [\"isp\"]. Empty: by any.")},
          {"provider", Place(&ReplyRule::provider), "", kAny, kLive, kOpen,
           N_("Said by which provider's servers: \"gmail\", as `sidegate explain reply` names it. Empty: any.")},
          {"stage", Place(&ReplyRule::stages).checked(check_reply_stage), "", kAny, kLive, kOpen,
           N_("In answer to what: greeting, ehlo, starttls, auth, mail, rcpt, data, final (the whole message), or "
              "sending, for the last four. Empty: anything.")},
          {"code", Place(&ReplyRule::code).checked(check_reply_code), "", kAny, kLive, kOpen,
           N_("The reply's code or its beginning: \"550\", \"45\", \"5\". Empty: any.")},
          {"status", Place(&ReplyRule::status).checked(check_reply_status), "", kAny, kLive, kOpen,
           N_("Its enhanced code: \"5.7.1\", \"x.7.1\" for 4 and 5, \"5.7.\" for all that begin so; several with "
              "'|' between. Empty: any.")},
          {"text", Place(&ReplyRule::text), "", kAny, kLive, kOpen,
           N_("Words in its text, in any case; '*' between two stands for anything, several with '|' between. Empty: "
              "any.")},
          {"meaning", Place(&ReplyRule::meaning).checked(check_reply_meaning), "", kAny, kLive, kOpen,
           N_("What it means, as `queue show` and `sidegate explain reply` call it: greylisted, user-unknown, "
              "quota-exceeded. A meaning that passes by itself lets mail wait even for 5yz; one that never does ends "
              "it "
              "even for 4yz."),
           true},
      }};
}

Status check_reply_stage(std::string& text) {
  auto stages = provider::stages_of(text);
  if (!stages || text.empty())
    return fail(ErrorKind::kBadInput,
                tr("{} is not greeting, ehlo, starttls, auth, mail, rcpt, data, final or sending", quoted(text)));
  return {};
}

Status check_reply_code(std::string& text) {
  if (!provider::check_code(text))
    return fail(ErrorKind::kBadInput, tr("{} is no code of a refusal, nor its beginning", quoted(text)));
  return {};
}

Status check_reply_status(std::string& text) {
  if (!provider::check_status(text))
    return fail(ErrorKind::kBadInput, tr("{} is no enhanced code such as 5.7.1, x.7.1 or 5.7.", quoted(text)));
  return {};
}

Status check_reply_meaning(std::string& text) {
  if (provider::facts_of_word(text) != nullptr) return {};
  const std::vector<std::string_view> words = provider::meaning_words();
  const std::string_view near = nearest(text, words);
  return fail(ErrorKind::kBadInput,
              near.empty() ? tr("{} is no meaning; there are {}", quoted(printable(text, 60)),
                                fmt::format("{}", fmt::join(words, ", ")))
                           : tr("{} is no meaning; did you mean {}?", quoted(printable(text, 60)), quoted(near)));
}

}  // namespace sidegate::config
