#include "intake/user_replies.h"

#include <fmt/format.h>

#include "mail/reply_words.h"

namespace sidegate::intake {
namespace {

using mail::Reply;
using quota::Measure;
using quota::Span;

std::string plain(std::string_view text) {
  return mail::reply_words(text, 200);
}

std::string count_words(std::uint64_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

}  // namespace

std::string span_word(Span span) {
  switch (span) {
    case Span::kSecond:
      return "second";
    case Span::kMinute:
      return "minute";
    case Span::kHour:
      return "hour";
    case Span::kDay:
      break;
  }
  return "day";
}

std::string limit_words(const quota::Limit& limit) {
  const char* one = limit.kind.measure == Measure::kMessages     ? "message"
                    : limit.kind.measure == Measure::kRecipients ? "recipient"
                                                                 : "octet";
  return fmt::format("{} {} {}", count_words(limit.most, one, (one + std::string("s")).c_str()),
                     limit.kind.span == Span::kHour ? "an" : "a", span_word(limit.kind.span));
}

std::string time_words(std::chrono::nanoseconds d) {
  using namespace std::chrono;
  const auto s = static_cast<std::uint64_t>(std::max<std::int64_t>(ceil<seconds>(d).count(), 1));
  if (s < 120) return count_words(s, "second", "seconds");
  if (s < 7200) return count_words((s + 59) / 60, "minute", "minutes");
  return count_words((s + 3599) / 3600, "hour", "hours");
}

Reply over_limit(const std::string& user, const quota::Over& over) {
  if (over.never) {
    return {552,
            {5, 3, 4},
            fmt::format("Message is larger than what {} may send: {}", plain(user), limit_words(over.limit))};
  }
  std::string text = fmt::format("Limit of {} reached for {}; there is room again in {}", limit_words(over.limit),
                                 plain(user), time_words(over.room_in));
  switch (over.limit.kind.measure) {
    case Measure::kMessages:
      return {450, {4, 7, 1}, std::move(text)};
    case Measure::kRecipients:  // RFC 5321 section 4.5.3.1.10: those that were taken may go, the rest later
      return {452, {4, 5, 3}, std::move(text)};
    case Measure::kOctets:
      break;
  }
  return {452, {4, 7, 1}, std::move(text)};
}

Reply is_suspended(const std::string& user, const quota::Stop& stop) {
  std::string next = stop.by_itself
                         ? "change the password, look for a program that sends in your name, then ask your postmaster"
                         : "ask your postmaster";
  return {450,
          {4, 7, 1},
          fmt::format("Sending is suspended for {}{}{}; {}", plain(user), stop.reason.empty() ? "" : ": ",
                      plain(stop.reason), next)};
}

Reply too_many_connections(const std::string& user, bool program) {
  return {421,
          {4, 7, 0},
          program ? std::string("Too many connections from your user")
                  : fmt::format("Too many connections as {}", plain(user))};
}

// RFC 6409 section 6.1.
Reply not_own_address(const std::string& user, std::string_view field, std::string_view address) {
  if (address.empty()) {
    return {550,
            {5, 7, 1},
            fmt::format("{} cannot be read, so it is not known to be an address of {}: write one address "
                        "there",
                        field, plain(user))};
  }
  return {
      field.empty() ? 553 : 550,
      {5, 7, 1},
      fmt::format("{} may not send as {}{}: choose an address of your own, or ask your postmaster to allow this one",
                  plain(user), plain(address), field.empty() ? "" : fmt::format(" ({})", field))};
}

}  // namespace sidegate::intake
