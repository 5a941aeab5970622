#include "intake/priority.h"

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::intake {
namespace {

using queue::Priority;

constexpr unsigned kFirstPerson = 1000;  // Debian policy section 9.2.2: below are the system's own users

bool has(std::string_view header, std::string_view name) {
  return mail::count_field(header, name) > 0;
}

// RFC 2076 section 3.9; RFC 2919 section 3; RFC 2369 section 3.2.
bool is_bulk(std::string_view header) {
  if (has(header, "List-Id") || has(header, "List-Unsubscribe")) return true;
  const std::string precedence = lower(trim(mail::field_value(header, "Precedence")));
  return precedence == "bulk" || precedence == "list" || precedence == "junk";
}

// Made by cron (it says so), by another program for nobody in particular (RFC 3834 section 5), or marked as urgent
// (RFC 2156 section 5.3.6 and 5.3.4).
bool is_urgent(std::string_view header) {
  if (has(header, "X-Cron-Env")) return true;
  const std::string made = lower(trim(mail::field_value(header, "Auto-Submitted")));
  if (made.starts_with("auto-generated")) return true;
  if (iequals(trim(mail::field_value(header, "Priority")), "urgent")) return true;
  if (iequals(trim(mail::field_value(header, "Importance")), "high")) return true;
  return trim(mail::field_value(header, "X-Priority")).starts_with('1');
}

}  // namespace

queue::Priority priority_of(std::string_view header, PriorityRule rule, std::optional<unsigned> local_uid) {
  switch (rule) {
    case PriorityRule::kAlarm:
      return Priority::kAlarm;
    case PriorityRule::kUsual:
      return Priority::kUsual;
    case PriorityRule::kBulk:
      return Priority::kBulk;
    case PriorityRule::kAuto:
      break;
  }
  if (is_bulk(header)) return Priority::kBulk;
  if (!local_uid) return Priority::kUsual;
  // What root's programs have to say is why somebody set this machine up to send mail at all.
  if (*local_uid == 0) return Priority::kAlarm;
  if (has(header, "X-Cron-Env")) return Priority::kAlarm;
  return *local_uid < kFirstPerson && is_urgent(header) ? Priority::kAlarm : Priority::kUsual;
}

}  // namespace sidegate::intake
