#include "dsn/text_part.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "dsn/advice.h"
#include "dsn/encode.h"
#include "dsn/status_part.h"
#include "mail/header.h"

namespace sidegate::dsn {
namespace {

bool all(const Report& report, Action action) {
  return std::ranges::all_of(report.recipients, [&](const RecipientReport& r) { return r.action == action; });
}

std::string_view opening(Action action, bool one) {
  switch (action) {
    case Action::kFailed:
      return one ? "Your message could not be delivered to this recipient, and it will not be tried again:"
                 : "Your message could not be delivered to these recipients, and it will not be tried again:";
    case Action::kDelayed:
      return one ? "Your message has not been delivered to this recipient yet:"
                 : "Your message has not been delivered to these recipients yet:";
    case Action::kDelivered:
      return one ? "Your message was delivered to this recipient:" : "Your message was delivered to these recipients:";
    case Action::kRelayed:
      return "Your message was passed on to a server that confirms no deliveries. There will be no further report of "
             "success for:";
    case Action::kExpanded:
      return "Your message was passed on to the members of this list or group:";
  }
  return {};
}

std::string recipient_text(const RecipientReport& recipient) {
  std::string out = fmt::format("  <{}>\r\n", clean(recipient.recipient.address, true));
  if (!recipient.explanation.empty()) out += wrap(clean(recipient.explanation, true), "    ");
  if (!recipient.diagnostic.empty()) {
    out += recipient.remote_host.empty()
               ? std::string("    The other server said:\r\n")
               : wrap(fmt::format("The server {} said:", clean(recipient.remote_host, true, 300)), "    ");
    out += wrap(clean(recipient.diagnostic, true), "      ");
  }
  if (recipient.action == Action::kDelayed && recipient.will_retry_until) {
    out += fmt::format("    It is tried until {}.\r\n", mail::rfc5322_date(*recipient.will_retry_until));
  }
  out += wrap(advice(recipient.action, recipient.status), "    ");
  return out + "\r\n";
}

}  // namespace

std::string subject(const Report& report) {
  if (all(report, Action::kFailed)) return "Undelivered mail: your message could not be delivered";
  if (all(report, Action::kDelayed)) return "Delayed mail: your message has not been delivered yet";
  if (all(report, Action::kDelivered)) return "Delivered mail: your message was delivered";
  if (all(report, Action::kRelayed)) return "Relayed mail: your message was passed on";
  if (all(report, Action::kExpanded)) return "Expanded mail: your message was passed on to a list";
  return "Mail delivery report";
}

std::string text_part(const Report& report) {
  const std::string host = clean(report.reporting_host, true, 300);
  std::string out = wrap(fmt::format("This is the mail server {}.", host), "") + "\r\n";
  for (Action action : {Action::kFailed, Action::kDelayed, Action::kDelivered, Action::kRelayed, Action::kExpanded}) {
    const auto has = [&](const RecipientReport& r) { return r.action == action; };
    const auto count = std::ranges::count_if(report.recipients, has);
    if (count == 0) continue;
    out += wrap(opening(action, count == 1), "") + "\r\n";
    for (const RecipientReport& recipient : report.recipients) {
      if (has(recipient)) out += recipient_text(recipient);
    }
  }
  out += wrap(fmt::format("If you need help, send this report to postmaster@{}.", host), "");
  if (report.original_id) out += fmt::format("The message was known here as {}.\r\n", report.original_id.text());
  return out;
}

}  // namespace sidegate::dsn
