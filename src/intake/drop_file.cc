#include "intake/drop_file.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::intake {
namespace {

constexpr std::size_t kMaxLine = 1200;
constexpr std::size_t kName = 33;

bool is_base(std::string_view text) {
  if (text.size() != kName || text[16] != '-') return false;
  return std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == '-'; }) &&
         std::ranges::count(text, '-') == 1;
}

bool read_notify(std::string_view words, mail::Notify& notify) {
  for (std::string_view word : split(words, ',')) {
    bool* flag = word == "never"     ? &notify.never
                 : word == "success" ? &notify.success
                 : word == "failure" ? &notify.failure
                 : word == "delay"   ? &notify.delay
                                     : nullptr;
    if (flag == nullptr || *flag) return false;
    *flag = true;
  }
  return !notify.never || !(notify.success || notify.failure || notify.delay);
}

// One line behind the magic; false: it does not belong here.
bool take(std::string_view key, std::string_view value, DropHeading& heading, bool& uid, bool& from) {
  mail::Envelope& envelope = heading.envelope;
  if (key == "uid" && !uid) {
    auto number = parse_number(value);
    uid = number && *number <= 0xffffffffu;
    heading.uid = static_cast<unsigned>(number.value_or(0));
    return uid;
  }
  if (key == "time" && uid && !from && heading.time == 0) {
    heading.time = parse_number(value).value_or(0);
    return heading.time != 0;
  }
  if (key == "from" && uid && !from) {
    envelope.reverse_path = value;
    return from = true;
  }
  if (!from) return false;
  if (key == "to" && !value.empty()) {
    envelope.recipients.emplace_back().address = value;
    return true;
  }
  if (envelope.recipients.empty()) {
    if (key == "body" && value == "8bitmime") return envelope.body = mail::BodyType::k8bitMime, true;
    if (key == "ret" && (value == "full" || value == "hdrs"))
      return envelope.ret = value == "full" ? mail::Ret::kFull : mail::Ret::kHeaders, true;
    if (key == "envid" && envelope.envid.empty() && !value.empty()) return envelope.envid = value, true;
    if (key == "smtputf8" && value == "yes") return envelope.smtputf8 = true;
    return false;
  }
  mail::Recipient& last = envelope.recipients.back();
  if (key == "notify" && !last.notify.specified()) return read_notify(value, last.notify);
  if (key == "orcpt" && last.orcpt.empty() && !value.empty()) return last.orcpt = value, true;
  return false;
}

}  // namespace

Result<DropHeading> parse_drop(std::string_view start) {
  DropHeading heading;
  bool magic = false, uid = false, from = false;
  for (std::size_t at = 0;;) {
    const std::size_t end = start.find('\n', at);
    if (end == std::string_view::npos || end - at > kMaxLine) return bad("its envelope has no end");
    const std::string_view line = start.substr(at, end - at);
    at = end + 1;
    if (std::ranges::any_of(line, is_control)) return bad("a control character in its envelope");
    if (!magic) {
      magic = line == "sidegate-drop 1";
      if (!magic) return bad("it is no dropped message");
      continue;
    }
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return bad("a line of its envelope is not understood");
    const std::string_view key = line.substr(0, space), value = line.substr(space + 1);
    if (key == "message" && from && !heading.envelope.recipients.empty()) {
      auto size = parse_number(value);
      if (!size || *size > (1ull << 40)) return bad("it does not say its size");
      heading.message_at = at;
      heading.message_size = *size;
      return heading;
    }
    if (!take(key, value, heading, uid, from)) return bad("a line of its envelope is not understood");
  }
}

std::optional<DropName> parse_drop_name(std::string_view name) {
  if (is_base(name)) return DropName{std::string(name)};
  if (name.size() != kName + 2 || !is_base(name.substr(0, kName)) || name[kName] != '.') return std::nullopt;
  const char digit = name.back();
  if (digit < '1' || digit > '9') return std::nullopt;
  return DropName{std::string(name.substr(0, kName)), static_cast<unsigned>(digit - '0')};
}

bool is_unfinished_drop(std::string_view name) {
  return name.starts_with("tmp-") && is_base(name.substr(4));
}

}  // namespace sidegate::intake
