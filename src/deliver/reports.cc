#include "deliver/reports.h"

#include <algorithm>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::deliver {
namespace {

mail::Envelope report_envelope(const ReportInput& input, bool smtputf8) {
  mail::Envelope envelope;  // RFC 3461 section 6.1: from <>, and no NOTIFY but what <> implies
  envelope.recipients = input.recipients;
  envelope.smtputf8 = smtputf8;
  // RFC 8689 section 5: a report is protected as the message was.
  if (input.circumstances->message->envelope.tls == mail::TlsDemand::kRequired)
    envelope.tls = mail::TlsDemand::kRequired;
  return envelope;
}

std::uint32_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find("\r\n", at);
    if (end == std::string_view::npos) end = text.size();
    longest = std::max(longest, end - at);
    at = end + 2;
  }
  return static_cast<std::uint32_t>(longest);
}

dsn::RecipientReport line_for(const Circumstances& c, const Target& target, dsn::Action action) {
  dsn::RecipientReport line;
  line.recipient = c.message->envelope.recipients[target.n];
  // Whoever wrote to an address need not learn which command or file stands behind it.
  bool behind = line.recipient.destination != mail::Destination::kRoute && !line.recipient.original.empty();
  if (behind) line.recipient.address = line.recipient.original;
  line.action = action;
  line.status = target.verdict.status;
  if (action == dsn::Action::kDelayed) line.will_retry_until = c.arrived + c.schedule->lifetime;
  if (target.by_peer) {
    line.remote_host = c.host;
    line.diagnostic = target.reply;
  }
  line.explanation = std::string(target.verdict.explanation);
  const bool says_more = !target.by_peer && !target.reply.empty() && target.reply != line.explanation;
  if (says_more) line.explanation += " (" + target.reply + ")";
  line.last_attempt = c.now;
  return line;
}

}  // namespace

bool returns_full(const Circumstances& c, const PlannedReport& plan) {
  if (plan.returns_whole) return true;
  // RFC 3461 section 6.2: RET applies to failures; without it we return the header.
  bool failed = std::ranges::any_of(plan.about, [](const Reported& r) { return r.action == dsn::Action::kFailed; });
  // RFC 8689 section 5: as if RET=HDRS had been said.
  if (c.message->envelope.tls == mail::TlsDemand::kRequired) return false;
  return failed && c.message->envelope.ret == mail::Ret::kFull;
}

queue::ClassKey report_class(const mail::Recipient& recipient) {
  return route::class_key(mail::Envelope{}, mail::Origin{}, recipient);
}

queue::Accept make_report_message(const ReportInput& input) {
  const Circumstances& c = *input.circumstances;
  mail::Envelope original = c.message->envelope;
  original.reverse_path = input.plan->to;  // the postmaster stands in for a null one
  dsn::Report report;
  report.original_id = c.message->id;
  report.id = input.id;
  report.reporting_host = input.hostname;
  report.arrived = c.message->id.time();
  report.now = c.now;
  report.envelope = &original;
  for (const Reported& r : input.plan->about)
    report.recipients.push_back(line_for(c, input.targets[r.target], r.action));
  report.original_header = input.original_header;
  report.original_body = input.original_body;
  report.return_full = returns_full(c, *input.plan);
  dsn::Made made = dsn::make_report(report);

  auto message = std::make_shared<queue::Message>();
  message->id = input.id;
  message->envelope = report_envelope(input, made.smtputf8);
  message->classes = input.classes;
  message->header_size = made.header.size();
  message->body_size = made.body.size();
  message->chunks = static_cast<std::uint32_t>((made.body.size() + queue::kChunkSize - 1) / queue::kChunkSize);
  message->eight_bit_header = !is_ascii(made.header);
  message->eight_bit_body = !is_ascii(made.body);
  message->longest_line = std::max(longest_line(made.header), longest_line(made.body));
  message->message_id = mail::field_value(made.header, "Message-ID");
  message->is_report = true;
  message->submitted = true;

  queue::Accept accept;
  accept.message = std::move(message);
  accept.header = std::move(made.header);
  accept.body = std::move(made.body);
  for (queue::ClassId id : input.classes) {
    bool known = std::ranges::find(accept.due, id, &queue::DueRow::class_id) != accept.due.end();
    if (!known) accept.due.push_back({.id = input.id, .class_id = id, .due = c.now});
  }
  return accept;
}

}  // namespace sidegate::deliver
