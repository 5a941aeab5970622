#include "helper/protocol.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sidegate::helper {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::array<std::string_view, 12> kVariables = {
    "SENDER",         "RECIPIENT",   "ORIGINAL_RECIPIENT", "LOCAL",         "DOMAIN",      "EXTENSION",
    "CLIENT_ADDRESS", "CLIENT_HELO", "CLIENT_PROTOCOL",    "SASL_USERNAME", "SASL_METHOD", "SASL_SENDER"};

class Writer {
 public:
  Writer& octet(std::uint8_t v) {
    out_ += static_cast<char>(v);
    return *this;
  }
  Writer& number(std::uint64_t v) {
    for (int i = 0; i < 8; ++i) out_ += static_cast<char>(v >> (8 * i));
    return *this;
  }
  Writer& text(std::string_view v) {
    number(v.size());
    out_ += v;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads what Writer wrote; after the first thing that does not fit, good() is false and all else is empty.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::uint8_t octet() {
    if (!need(1)) return 0;
    auto v = static_cast<std::uint8_t>(in_[0]);
    in_.remove_prefix(1);
    return v;
  }
  std::uint64_t number() {
    if (!need(8)) return 0;
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(in_[i])) << (8 * i);
    in_.remove_prefix(8);
    return v;
  }
  std::string text(std::size_t most) {
    std::uint64_t size = number();
    if (size > most || !need(size)) {
      good_ = false;
      return {};
    }
    std::string v(in_.substr(0, size));
    in_.remove_prefix(size);
    return v;
  }
  bool good() const { return good_; }
  bool done() const { return good_ && in_.empty(); }

 private:
  bool need(std::uint64_t n) { return good_ = good_ && in_.size() >= n; }
  std::string_view in_;
  bool good_ = true;
};

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return is_control(c); });
}

// ".." never stands in a path that we are asked for.
bool climbs(std::string_view path) {
  for (std::string_view part : split(path, '/')) {
    if (part == "..") return true;
  }
  return false;
}

Status check_place(const Request& r) {
  switch (r.verb) {
    case Verb::kHello:
    case Verb::kFindUser:
      return r.place.empty() ? Status{} : fail(ErrorKind::kBadInput, "a place where none belongs");
    case Verb::kReadForward:
      if (r.place.size() > kMaxName || r.place.find('/') != std::string::npos || !is_printable(r.place))
        return fail(ErrorKind::kBadInput, "an extension with a slash, or too long");
      return {};
    case Verb::kCommand:
      if (r.place.empty() || has_nul(r.place)) return fail(ErrorKind::kBadInput, "no command");
      return {};
    case Verb::kVerifyPassword:
      return is_service_name(r.place) ? Status{} : fail(ErrorKind::kBadInput, "this is no PAM service");
    default:
      break;
  }
  bool rooted = r.place.starts_with('/') || r.place.starts_with("~/") || r.place.starts_with("%h/");
  if (!rooted) return fail(ErrorKind::kBadInput, "the path is not absolute");
  if (climbs(r.place) || !is_printable(r.place)) return fail(ErrorKind::kBadInput, "the path is not plain");
  return {};
}

Status check(const Request& r) {
  bool user = r.verb == Verb::kHello ? r.user.empty() : is_user_name(r.user);
  if (!user) return fail(ErrorKind::kBadInput, "this is no user's name");
  if (!r.instead.empty() && !is_user_name(r.instead)) return fail(ErrorKind::kBadInput, "this is no user's name");
  if (Status place = check_place(r); !place) return place;
  if (has_nul(r.head) || (!r.head.empty() && !r.head.ends_with('\n')))
    return fail(ErrorKind::kBadInput, "the head is not made of lines");
  if (r.verb == Verb::kVerifyPassword && (r.size == 0 || r.size > kMaxPassword || !r.head.empty()))
    return fail(ErrorKind::kBadInput, "no password, or too long");
  if (!takes_content(r.verb) && (r.size != 0 || !r.head.empty()))
    return fail(ErrorKind::kBadInput, "content where none belongs");
  for (const auto& [key, value] : r.environment) {
    if (std::ranges::find(kVariables, key) == kVariables.end())
      return fail(ErrorKind::kBadInput, "a variable that is not ours to set");
  }
  return {};
}

}  // namespace

const char* name(Verb verb) {
  constexpr const char* kNames[] = {"hello",   "find-user", "read-forward", "maildir",
                                    "mailbox", "file",      "command",      "verify-password"};
  return kNames[static_cast<int>(verb)];
}

bool takes_content(Verb verb) {
  return verb >= Verb::kMaildir;
}

std::string encode(const Request& r) {
  Writer w;
  w.octet(kVersion).octet(static_cast<std::uint8_t>(r.verb)).number(r.size).number(r.patience);
  w.text(r.user).text(r.instead).text(r.place).text(r.head).octet(static_cast<std::uint8_t>(r.environment.size()));
  for (const auto& [key, value] : r.environment) w.text(key).text(value);
  return w.take();
}

Result<Request> decode_request(std::string_view packet) {
  if (packet.size() > kMaxRequest) return fail(ErrorKind::kBadInput, "the request is too large");
  Reader in(packet);
  Request r;
  std::uint8_t version = in.octet(), verb = in.octet();
  if (version != kVersion || verb > static_cast<std::uint8_t>(Verb::kVerifyPassword))
    return fail(ErrorKind::kBadInput, "not a request of this version");
  r.verb = static_cast<Verb>(verb);
  r.size = in.number();
  std::uint64_t patience = in.number();
  r.patience = static_cast<std::uint32_t>(std::min<std::uint64_t>(patience, kMaxPatience));
  r.user = in.text(kMaxName);
  r.instead = in.text(kMaxName);
  r.place = in.text(kMaxPlace);
  r.head = in.text(kMaxHead);
  std::uint8_t count = in.octet();
  if (count > kVariables.size()) return fail(ErrorKind::kBadInput, "too many variables");
  for (std::uint8_t i = 0; i < count && in.good(); ++i) {
    std::string key = in.text(kMaxName), value = in.text(kMaxValue);
    r.environment.emplace_back(std::move(key), std::move(value));
  }
  if (!in.done()) return fail(ErrorKind::kBadInput, "the request is cut off, or goes on behind its end");
  if (Status good = check(r); !good) return std::unexpected(good.error());
  return r;
}

std::string encode(const Answer& a) {
  Writer w;
  w.octet(kVersion).octet(static_cast<std::uint8_t>(a.cause)).number(static_cast<std::uint32_t>(a.code));
  w.number(a.uid).number(a.gid).text(a.home).text(a.shell).text(a.text);
  return w.take();
}

std::optional<Answer> decode_answer(std::string_view bytes) {
  Reader in(bytes);
  Answer a;
  std::uint8_t version = in.octet(), cause = in.octet();
  if (version != kVersion || cause > static_cast<std::uint8_t>(Cause::kBadRequest)) return std::nullopt;
  a.cause = static_cast<Cause>(cause);
  a.code = static_cast<std::int32_t>(in.number());
  a.uid = static_cast<std::uint32_t>(in.number());
  a.gid = static_cast<std::uint32_t>(in.number());
  a.home = in.text(kMaxPlace);
  a.shell = in.text(kMaxPlace);
  a.text = in.text(kMaxAnswer);
  if (!in.done()) return std::nullopt;
  return a;
}

bool is_service_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxName || text.front() == '-') return false;
  return std::ranges::all_of(text, [](char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_user_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxName || text.front() == '-' || text == "." || text == "..") return false;
  return std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '.' || c == '_' || c == '-' || c == '$' || c == '@' || c == '\\' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

std::string neutral(std::string_view value) {
  constexpr std::string_view kGood = "!@%-_=+:,./";
  std::string out(value.substr(0, kMaxValue));
  for (char& c : out) {
    if (!is_alpha(c) && !is_digit(c) && kGood.find(c) == std::string_view::npos) c = '_';
  }
  return out;
}

}  // namespace sidegate::helper
