#include "admin/queue_rows.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "deliver/sender_story.h"

namespace sidegate::admin {
namespace {

namespace json = boost::json;
using queue::RecipientState;

// Wire text in a terminal or a log: no control characters, well-formed UTF-8.
std::string clean(std::string_view text) {
  return printable(text, 4000);
}

const char* word(RecipientState state) {
  switch (state) {
    case RecipientState::kPending:
      return "pending";
    case RecipientState::kDelivered:
      return "delivered";
    case RecipientState::kFailed:
      return "failed";
  }
  return "pending";
}

const queue::RecipientRow* row_for(const queue::ListRow& row, std::size_t n) {
  for (const queue::RecipientRow& r : row.recipients) {
    if (r.n == n) return &r;
  }
  return nullptr;
}

std::optional<WallTime> next_due(const queue::ListRow& row) {
  std::optional<WallTime> next;
  for (const queue::DueRow& due : row.due) {
    if (!due.held && (!next || due.due < *next)) next = due.due;
  }
  return next;
}

// When it is due, and not before its relay is tried again or has room; none where nobody knows when that is.
std::optional<WallTime> next_try(const queue::ListRow& row, const Live& live, WallTime now) {
  std::optional<WallTime> next = next_due(row);
  if (!next) return std::nullopt;
  if (!live.relay_up && !live.relay_again_at && *next < now) return std::nullopt;
  if (!live.relay_up) next = std::max(*next, live.relay_again_at.value_or(*next));
  return std::max(*next, live.relay_room_at.value_or(*next));
}

unsigned attempts_of(const queue::ListRow& row) {
  unsigned most = 0;
  for (const queue::DueRow& due : row.due) most = std::max<unsigned>(most, due.attempts);
  return most;
}

std::string words_of(const queue::RecipientRow& r) {
  // Words of ours stand there too; a reply begins with its code (RFC 5321 section 4.2).
  const std::string& words = r.last_reply;
  const bool said =
      words.size() > 3 && is_digit(words[0]) && is_digit(words[1]) && is_digit(words[2]) && words[3] == ' ';
  return r.last_host.empty() || !said ? words : fmt::format("{} said: {}", r.last_host, words);
}

// Why it is still here: its relay is down, else what was said last.
std::string reason_of(const queue::ListRow& row, const Live& live) {
  if (live.suspended) return fmt::format("user {} is suspended", row.message.origin.user);
  if (!live.relay_up) return live.relay_reason;
  if (!live.relay_full.empty()) return fmt::format("{} has sent {}", live.relay, live.relay_full);
  const queue::RecipientRow* last = nullptr;
  for (const queue::RecipientRow& r : row.recipients) {
    if (r.state == RecipientState::kPending && !r.last_reply.empty() && (last == nullptr || r.last_at > last->last_at))
      last = &r;
  }
  if (last == nullptr) return {};
  return words_of(*last);
}

json::object recipient_json(const queue::ListRow& row, std::size_t n) {
  const queue::RecipientRow* r = row_for(row, n);
  const mail::Recipient& recipient = row.message.envelope.recipients[n];
  json::object out{{"address", clean(recipient.address)},
                   {"state", word(r != nullptr ? r->state : RecipientState::kPending)}};
  if (r == nullptr) return out;
  out["attempts"] = r->attempts;
  if (!r->last_reply.empty()) out["last_reply"] = clean(r->last_reply);
  if (!r->last_host.empty()) out["last_host"] = clean(r->last_host);
  if (r->last_at != WallTime{}) out["last_at"] = time_text(r->last_at);
  if (r->uncertain) out["uncertain"] = true;
  return out;
}

// Each pending recipient's own, where they differ.
json::array reasons_of(const queue::ListRow& row) {
  json::array out;
  bool differ = false;
  for (std::size_t n = 0; n < row.message.envelope.recipients.size(); ++n) {
    if (!is_pending(row, n)) continue;
    const queue::RecipientRow* r = row_for(row, n);
    out.emplace_back(r == nullptr ? std::string() : clean(words_of(*r)));
    differ |= out.back() != out.front();
  }
  return differ ? out : json::array();
}

json::object base_json(const queue::ListRow& row, const Live& live, WallTime now) {
  const queue::Message& m = row.message;
  json::array to;
  for (std::size_t n = 0; n < m.envelope.recipients.size(); ++n) {
    if (is_pending(row, n)) to.emplace_back(clean(m.envelope.recipients[n].address));
  }
  json::object out{{"id", m.id.text()},
                   {"state", state_of(row, live, now)},
                   {"arrived", time_text(m.id.time())},
                   {"size", m.header_size + m.body_size},
                   {"from", clean(m.envelope.reverse_path)},
                   {"to", std::move(to)},
                   {"recipients", m.envelope.recipients.size()},
                   {"attempts", attempts_of(row)}};
  if (auto next = next_try(row, live, now)) out["next"] = time_text(*next);
  if (!live.relay.empty()) out["relay"] = live.relay;
  if (std::string reason = reason_of(row, live); !reason.empty()) out["reason"] = clean(reason);
  if (json::array reasons = reasons_of(row); live.relay_up && !reasons.empty()) out["reasons"] = std::move(reasons);
  if (m.is_report) out["report"] = true;
  return out;
}

std::string rule_text(const SenderRule& rule, const std::string& way, const std::string& sender) {
  std::string text = rule ? rule(way, sender) : std::string();
  if (!text.empty()) return text;
  deliver::RelaySettings unknown;  // a way that the configuration has no more
  unknown.name = way;
  return deliver::rule_for_refused_sender(unknown, sender, false);
}

json::object attempt_json(const queue::AttemptRow& a, const queue::Message& m, const SenderRule& rule) {
  json::array recipients;
  for (std::uint32_t n : a.recipients) {
    if (n < m.envelope.recipients.size()) recipients.emplace_back(clean(m.envelope.recipients[n].address));
  }
  json::object out{{"at", time_text(a.at)},   {"relay", clean(a.way)},   {"address", clean(a.address)},
                   {"phase", clean(a.phase)}, {"reply", clean(a.reply)}, {"meaning", clean(a.meaning)}};
  if (a.meaning == "sender-not-allowed" || a.meaning == "sender-not-verified" || a.meaning == "sender-domain-invalid")
    out["rule"] = clean(rule_text(rule, a.way, m.envelope.reverse_path));
  if (!a.tls.empty()) out["tls"] = clean(a.tls);
  if (a.uncertain) out["uncertain"] = true;
  if (a.next) out["next"] = time_text(*a.next);
  out["recipients"] = std::move(recipients);
  return out;
}

}  // namespace

bool is_pending(const queue::ListRow& row, std::size_t n) {
  const queue::RecipientRow* r = row_for(row, n);
  return r == nullptr || r->state == RecipientState::kPending;
}

std::string time_text(WallTime at) {
  auto second = std::chrono::floor<std::chrono::seconds>(at);
  auto day = std::chrono::floor<std::chrono::days>(second);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss time(second - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

const char* state_of(const queue::ListRow& row, const Live& live, WallTime now) {
  if (live.leased) return "active";
  if (live.suspended) return "held";
  if (std::ranges::any_of(row.due, [](const queue::DueRow& due) { return due.held; })) return "held";
  auto next = next_due(row);
  if (next && *next > now) return "deferred";
  if (live.known && !live.relay_up) return "waiting";
  return live.relay_full.empty() ? "ready" : "limited";
}

std::string list_row_json(const queue::ListRow& row, const Live& live, WallTime now) {
  return json::serialize(base_json(row, live, now));
}

std::string show_json(const queue::ListRow& row, const std::vector<queue::AttemptRow>& attempts, const Live& live,
                      WallTime now, const SenderRule& rule) {
  const queue::Message& m = row.message;
  json::object out = base_json(row, live, now);
  json::array recipients, tries;
  for (std::size_t n = 0; n < m.envelope.recipients.size(); ++n) recipients.emplace_back(recipient_json(row, n));
  for (const queue::AttemptRow& a : attempts) tries.emplace_back(attempt_json(a, m, rule));
  out["recipients"] = std::move(recipients);
  out["message_id"] = clean(m.message_id);
  out["client"] = clean(m.origin.peer_address);
  out["helo"] = clean(m.origin.helo);
  out["user"] = clean(m.origin.user);
  out["listener"] = clean(m.origin.listener);
  out["protocol"] = clean(m.origin.protocol);
  out["envid"] = clean(m.envelope.envid);
  out["header_size"] = m.header_size;
  out["body_size"] = m.body_size;
  out["tries"] = std::move(tries);
  if (!live.relay_full.empty()) {
    out["relay_full"] = live.relay_full;
    if (live.relay_room_at) out["relay_room_at"] = time_text(*live.relay_room_at);
  }
  if (!live.relay_up) {
    out["relay_down"] = clean(live.relay_reason);
    if (live.relay_again_at) out["relay_again_at"] = time_text(*live.relay_again_at);
    if (!live.advice.empty()) out["advice"] = live.advice;
  }
  return json::serialize(out);
}

namespace {

std::string limit_name(const quota::Kind& kind) {
  constexpr const char* kMeasures[] = {"messages", "recipients", "bytes"};
  constexpr const char* kSpans[] = {"second", "minute", "hour", "day"};
  return fmt::format("{}_per_{}", kMeasures[static_cast<int>(kind.measure)], kSpans[static_cast<int>(kind.span)]);
}

}  // namespace

std::string limit_words(const queue::UsedLimit& used) {
  return fmt::format("{} of {} {}", used.used, used.limit.most, limit_name(used.limit.kind));
}

bool is_relay_needed(const std::vector<queue::WayStatus>& ways) {
  bool closed = false;
  for (const queue::WayStatus& way : ways) {
    const bool direct = way.name == "direct";
    if (!direct && !way.name.empty() && !way.name.starts_with('(')) return false;
    // "closed here", "intercepted here", or that nothing has answered on it so far.
    closed |= direct && !way.up && way.reason.find("port 25") != std::string::npos;
  }
  return closed;
}

std::string status_json_ways(const std::vector<queue::WayStatus>& ways) {
  json::array out;
  for (const queue::WayStatus& way : ways) {
    if (way.name.empty()) continue;  // a relay that a reload took away
    json::object one{{"name", way.name}, {"up", way.up}, {"connections", way.connections}, {"ready", way.ready}};
    if (!way.domain.empty()) one["destination"] = way.domain;
    if (!way.up) one["reason"] = clean(way.reason);
    if (way.again_at) one["again_at"] = time_text(*way.again_at);
    if (!way.limits.empty()) {
      json::object limits;
      for (const queue::UsedLimit& used : way.limits)
        limits[limit_name(used.limit.kind)] = json::object{{"used", used.used}, {"limit", used.limit.most}};
      one["limits"] = std::move(limits);
      one["when_full"] = way.waits_when_full ? "wait" : "next";
      one["full"] = way.room_at.has_value();
    }
    if (way.room_at) one["room_at"] = time_text(*way.room_at);
    out.emplace_back(std::move(one));
  }
  return json::serialize(out);
}

std::string action_json(QueueId id, const char* result, const queue::ListRow* row) {
  json::object out{{"id", id.text()}, {"result", result}};
  if (row != nullptr) {
    out["from"] = clean(row->message.envelope.reverse_path);
    json::array to;
    for (std::size_t n = 0; n < row->message.envelope.recipients.size(); ++n) {
      if (is_pending(*row, n)) to.emplace_back(clean(row->message.envelope.recipients[n].address));
    }
    out["to"] = std::move(to);
  }
  return json::serialize(out);
}

}  // namespace sidegate::admin
