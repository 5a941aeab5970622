#include "dsn/status_part.h"

#include <fmt/format.h>

#include "base/text.h"
#include "dsn/encode.h"
#include "mail/header.h"

namespace sidegate::dsn {
namespace {

// RFC 3461 section 4.2: "addr-type;xtext" as it was received; RFC 6533 section 3: type utf-8 has an encoding of its
// own.
std::string original_recipient(std::string_view orcpt, bool utf8) {
  const std::size_t end = orcpt.find(';');
  if (end == orcpt.npos) return clean(orcpt, utf8);
  const std::string_view type = orcpt.substr(0, end), address = orcpt.substr(end + 1);
  if (!iequals(type, "utf-8")) return fmt::format("{};{}", clean(type, utf8), clean(xtext_decoded(address), utf8));
  return fmt::format("{};{}", clean(type, utf8),
                     clean(utf8 ? utf8_address_decoded(address) : std::string(address), utf8));
}

std::string final_recipient(std::string_view address) {
  return fmt::format("{};{}", is_ascii(address) ? "rfc822" : "utf-8", clean(address, true));
}

std::string recipient_fields(const RecipientReport& recipient, bool utf8) {
  std::string out;
  if (!recipient.recipient.orcpt.empty()) {
    out += field("Original-Recipient", original_recipient(recipient.recipient.orcpt, utf8));
  }
  out += field("Final-Recipient", final_recipient(recipient.recipient.address));
  out += field("Action", word(recipient.action));
  out += field("Status", status_code(recipient));
  if (!recipient.remote_host.empty()) out += field("Remote-MTA", "dns; " + clean(recipient.remote_host, utf8, 300));
  if (!recipient.diagnostic.empty()) out += field("Diagnostic-Code", "smtp; " + clean(recipient.diagnostic, utf8));
  if (recipient.last_attempt != WallTime{}) {
    out += field("Last-Attempt-Date", mail::rfc5322_date(recipient.last_attempt));
  }
  // RFC 3464 section 2.3.9: only where the action is delayed.
  if (recipient.action == Action::kDelayed && recipient.will_retry_until) {
    out += field("Will-Retry-Until", mail::rfc5322_date(*recipient.will_retry_until));
  }
  return out;
}

}  // namespace

const char* word(Action action) {
  switch (action) {
    case Action::kFailed:
      return "failed";
    case Action::kDelayed:
      return "delayed";
    case Action::kDelivered:
      return "delivered";
    case Action::kRelayed:
      return "relayed";
    case Action::kExpanded:
      return "expanded";
  }
  return "failed";
}

std::string status_code(const RecipientReport& recipient) {
  if (recipient.status.cls != 0) return recipient.status.text();
  if (recipient.action == Action::kFailed) return "5.0.0";
  return recipient.action == Action::kDelayed ? "4.0.0" : "2.0.0";
}

std::string status_part(const Report& report, bool utf8) {
  std::string out;
  if (!report.envelope->envid.empty()) {
    out += field("Original-Envelope-Id", clean(xtext_decoded(report.envelope->envid), false));
  }
  out += field("Reporting-MTA", "dns; " + clean(report.reporting_host, utf8, 300));
  if (report.arrived != WallTime{}) out += field("Arrival-Date", mail::rfc5322_date(report.arrived));
  if (report.original_id) out += field("X-Sidegate-Queue-Id", report.original_id.text());
  for (const RecipientReport& recipient : report.recipients) {
    out += "\r\n";  // RFC 3464 section 2: an empty line before each group
    out += recipient_fields(recipient, utf8);
  }
  return out;
}

}  // namespace sidegate::dsn
