// Delivery status notifications (RFC 3461, 3464, 6533): a report in, a message out. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/queue_id.h"
#include "mail/envelope.h"
#include "mail/reply.h"

namespace sidegate::dsn {

enum class Action : std::uint8_t { kFailed, kDelayed, kDelivered, kRelayed, kExpanded };  // RFC 3464 section 2.3.3

struct RecipientReport {
  mail::Recipient recipient;
  Action action = Action::kFailed;
  mail::EnhancedCode status;
  std::string remote_host;                   // Remote-MTA
  std::string diagnostic;                    // the peer's reply, or empty when the words are ours
  std::string explanation;                   // for people, one or two sentences
  std::optional<WallTime> will_retry_until;  // delayed
  WallTime last_attempt{};
};

struct Report {
  QueueId original_id, id;
  std::string reporting_host;
  WallTime arrived{}, now{};
  const mail::Envelope* envelope = nullptr;  // of the original message
  std::vector<RecipientReport> recipients;   // at least one; all failures of one attempt share a report
  std::string_view original_header;          // the header block
  std::string_view original_body;            // only used when return_full (may be cut short by max_returned)
  bool return_full = false;  // RET says so, or whoever gets it must have the whole; counts where a recipient failed
};

struct Made {
  std::string header, body;  // header block; body from its empty line on
  bool smtputf8 = false;
};

// To the reverse-path of the original (never called for a null one), from "<>".
Made make_report(const Report& report);

// RFC 3461 section 5.2 and 6.2: is a report of this action asked for by this recipient's NOTIFY?
bool wants(const mail::Notify& notify, Action action);

}  // namespace sidegate::dsn
