// A report of an attempt, as a new message ready to be accepted in the same write as the outcome. Pure, but for the
// random part of its Message-ID.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/settle.h"

namespace sidegate::deliver {

// A body larger than this is not returned as a whole (RFC 3461 section 6.2 leaves it to us).
inline constexpr std::size_t kMostReturned = 1 << 20;

struct ReportInput {
  const Circumstances* circumstances = nullptr;
  const PlannedReport* plan = nullptr;
  std::span<const Target> targets;
  std::string_view original_header, original_body;
  std::string hostname;
  QueueId id;                               // of the report
  std::vector<mail::Recipient> recipients;  // whom it goes to: plan->to, or what an alias of ours makes of it
  std::vector<queue::ClassId> classes;      // theirs, same order
};

// RET, and what promise 2 asks: is the whole message returned?
bool returns_full(const Circumstances& c, const PlannedReport& plan);
// The class the report belongs to, as far as this one of its recipients goes.
queue::ClassKey report_class(const mail::Recipient& recipient);
queue::Accept make_report_message(const ReportInput& input);

}  // namespace sidegate::deliver
