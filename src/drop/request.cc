#include "drop/request.h"

namespace sidegate::drop {
namespace {

enum Seen : unsigned { kFrom = 1, kBody = 2, kRet = 4, kEnvid = 8, kUtf8 = 16, kNotify = 32, kOrcpt = 64 };

bool clean(std::string_view line) {
  for (char c : line) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) return false;
  }
  return true;
}

bool is_notify(std::string_view words) {
  if (words == "never") return true;
  while (!words.empty()) {
    const std::size_t comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    if (word != "success" && word != "failure" && word != "delay") return false;
    words.remove_prefix(comma == std::string_view::npos ? words.size() : comma + 1);
    if (comma != std::string_view::npos && words.empty()) return false;
  }
  return true;
}

bool parse_size(std::string_view digits, std::uint64_t& size) {
  if (digits.empty() || digits.size() > 10) return false;
  size = 0;
  for (char c : digits) {
    if (c < '0' || c > '9') return false;
    size = size * 10 + static_cast<unsigned>(c - '0');
  }
  return size <= kMaxMessage;
}

}  // namespace

Request::State Request::bad(const char* why) {
  why_ = why;
  return State::kBad;
}

Request::State Request::once(unsigned bit, bool good, const char* why) {
  unsigned& seen = bit == kNotify || bit == kOrcpt ? seen_of_recipient_ : seen_;
  if (!good || (seen & bit) != 0) return bad(why);
  seen |= bit;
  return State::kMore;
}

Request::State Request::take(std::string_view line) {
  if (line.size() > kMaxLine || lines_.size() + line.size() + 1 > kMaxEnvelope) return bad("the envelope is too large");
  if (!clean(line)) return bad("a control character in the envelope");
  if (!magic_) {
    magic_ = line == kMagic;
    return magic_ ? State::kMore : bad("this is no request");
  }
  const std::size_t space = line.find(' ');
  const std::string_view key = line.substr(0, space);
  const std::string_view value = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  State state = State::kMore;
  if (key == "from" && space != std::string_view::npos) {
    state = once(kFrom, !recipient_, "from");
  } else if ((seen_ & kFrom) == 0) {
    return bad("no sender");
  } else if (key == "body") {
    state = once(kBody, !recipient_ && value == "8bitmime", "body");
  } else if (key == "ret") {
    state = once(kRet, !recipient_ && (value == "full" || value == "hdrs"), "ret");
  } else if (key == "envid") {
    state = once(kEnvid, !recipient_ && !value.empty(), "envid");
  } else if (key == "smtputf8") {
    state = once(kUtf8, !recipient_ && value == "yes", "smtputf8");
  } else if (key == "to" && !value.empty()) {
    recipient_ = true;
    seen_of_recipient_ = 0;
  } else if (key == "notify") {
    state = once(kNotify, recipient_ && !value.empty() && is_notify(value), "notify");
  } else if (key == "orcpt") {
    state = once(kOrcpt, recipient_ && !value.empty(), "orcpt");
  } else if (key == "message") {
    if (!recipient_) return bad("no recipient");
    if (!parse_size(value, message_size_)) return bad("the message is too large");
    state = State::kMessage;
  } else {
    return bad("a line that is not understood");
  }
  if (state == State::kBad) return state;
  lines_.append(line).append(1, '\n');
  return state;
}

}  // namespace sidegate::drop
