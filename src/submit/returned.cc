#include "submit/returned.h"

#include "base/queue_id.h"
#include "base/text.h"
#include "dsn/report.h"

namespace sidegate::submit {
namespace {

// Header block and body of the message; no more of it than a report returns.
struct Original {
  std::string header, body;
};

Original original_of(const Message& message) {
  constexpr std::size_t kMost = 1 << 20;
  Original original;
  for (const std::string& piece : message.pieces()) {
    if (original.header.empty()) {
      const std::size_t end = piece.find("\r\n\r\n");
      const std::size_t cut = end == std::string::npos ? piece.size() : end + 2;
      original.header = piece.substr(0, cut);
      original.body = piece.substr(cut);
    } else if (original.body.size() < kMost) {
      original.body += piece.substr(0, kMost - original.body.size());
    }
  }
  return original;
}

}  // namespace

Message returned_message(const std::vector<Refused>& refused, const mail::Envelope& envelope, const Message& message,
                         const std::string& host) {
  Clock& clock = system_clock();
  const Original original = original_of(message);
  dsn::Report report;
  report.id = report.original_id = QueueIdSource(clock).next();
  report.reporting_host = host;
  report.arrived = report.now = clock.wall();
  report.envelope = &envelope;
  for (const Refused& one : refused) {
    dsn::RecipientReport line;
    line.recipient = one.recipient;
    line.action = dsn::Action::kFailed;
    line.status = one.reply.status.value_or(mail::EnhancedCode{5, 0, 0});
    line.diagnostic = one.reply.line();
    line.remote_host = host;
    line.last_attempt = report.now;
    report.recipients.push_back(std::move(line));
  }
  report.original_header = original.header;
  report.original_body = original.body;
  report.return_full = envelope.ret != mail::Ret::kHeaders;
  dsn::Made made = dsn::make_report(report);
  Message out;
  out.eight_bit = !is_ascii(made.body);
  out.add(std::move(made.header) + made.body);
  return out;
}

}  // namespace sidegate::submit
