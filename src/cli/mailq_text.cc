#include <ctime>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/programs.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& row, const char* key) {
  const json::value* value = row.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::vector<std::string> texts_of(const json::object& row, const char* key) {
  std::vector<std::string> out;
  const json::value* all = row.if_contains(key);
  if (all == nullptr || !all->is_array()) return out;
  for (const json::value& one : all->as_array()) out.emplace_back(one.is_string() ? one.as_string() : "");
  return out;
}

// "2026-11-22T01:50:11Z" as ctime(3) shows it, without the year, as Postfix cuts it.
std::string arrival(const std::string& utc) {
  std::tm parts{};
  if (strptime(utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return {};
  const std::time_t at = timegm(&parts);
  std::tm local{};
  localtime_r(&at, &local);
  char text[32];
  return asctime_r(&local, text) != nullptr ? std::string(text).substr(0, 20) : std::string();
}

// One status character, as in postqueue(1): in hand, held.
char mark(const std::string& state) {
  if (state == "active") return '*';
  return state == "held" ? '!' : ' ';
}

}  // namespace

std::string mailq_text(const std::string& text, MailqSum& sum) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return {};
  const json::object& row = parsed.as_object();
  const json::value* size = row.if_contains("size");
  const unsigned long long octets = size != nullptr && size->is_number() ? size->to_number<std::uint64_t>() : 0;
  const std::string from = text_of(row, "from");
  std::string out = sum.messages == 0 ? "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n" : "\n";
  out += fmt::format("{:<11} {:>7} {:<20.20} {}\n", text_of(row, "id") + mark(text_of(row, "state")), octets,
                     arrival(text_of(row, "arrived")), from.empty() ? "MAILER-DAEMON" : from);
  const std::vector<std::string> to = texts_of(row, "to"), reasons = texts_of(row, "reasons");
  std::string said;
  auto say = [&](const std::string& reason) {
    if (!reason.empty() && reason != said) out += fmt::format("{:>78}\n", "(" + printable(reason) + ")");
    said = reason;
  };
  if (reasons.size() != to.size()) say(text_of(row, "reason"));
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (reasons.size() == to.size()) say(reasons[i]);
    out += fmt::format("{:<10} {:>8} {:<20} {}\n", "", "", "", to[i]);
  }
  ++sum.messages;
  sum.octets += octets;
  return out;
}

std::string mailq_end(const MailqSum& sum) {
  if (sum.messages == 0) return "Mail queue is empty\n";
  return fmt::format("\n-- {} Kbytes in {} Request{}.\n", (sum.octets + 1023) / 1024, sum.messages,
                     sum.messages == 1 ? "" : "s");
}

}  // namespace sidegate::cli
