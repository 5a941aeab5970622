#include "rewrite/address_list.h"

#include <algorithm>

#include "base/text.h"
#include "mail/idna.h"

namespace sidegate::rewrite {
namespace {

// How raw octets are read. Nobody says which charset a raw name is in: those that may be meant are tried in turn.
// The two Open ones: of names in ISO-2022-JP that are not shifted back before '<', or before the quote there.
enum class Charset : std::uint8_t { kPlain, kIso2022, kIso2022Open, kIso2022OpenQuoted, kShiftJis, kDoubleByte };
constexpr bool is_iso2022(Charset charset) {
  return charset == Charset::kIso2022 || charset == Charset::kIso2022Open || charset == Charset::kIso2022OpenQuoted;
}

constexpr char kEscape = '\x1b';

unsigned octet(char c) {
  return static_cast<unsigned char>(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
// RFC 5322 section 3.2.3 atext, and any octet above ASCII (RFC 6532 section 3.2).
bool is_atext(char c) {
  return is_alpha(c) || is_digit(c) || octet(c) >= 0x80 || std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
}

// RFC 1468: ESC $ ... begins double-octet characters, ESC ( B and ESC ( J lead back to ASCII, as the line's end does.
// The octets from the escape sequence to where ASCII may go on.
std::size_t iso2022_run(std::string_view text, Charset charset) {
  if (text.size() < 3) return 1;
  bool ascii = text[1] == '(' && (text[2] == 'B' || text[2] == 'J');
  if (ascii) return 3;
  bool shifted = text[1] == '$' || text[1] == '(';
  if (!shifted) return 1;
  auto end = std::min(text.find_first_of("\x1b\r\n", 3), text.size());
  const bool is_open = end == text.size() || text[end] != kEscape;
  if (charset == Charset::kIso2022 || !is_open) return end;
  auto angle = text.substr(0, end).rfind('<');
  if (angle == std::string_view::npos || angle < 3) return end;
  if (charset == Charset::kIso2022Open) return angle;
  auto quote = text.substr(0, angle).rfind('"');
  return quote == std::string_view::npos || quote < 3 ? end : quote;
}

// Octets of the character at the start of `text`; 0: one that may have a meaning in a header.
std::size_t letter(std::string_view text, Charset charset) {
  unsigned c = octet(text[0]);
  if (is_iso2022(charset) && text[0] == kEscape) return iso2022_run(text, charset);
  if (c < 0x80) return 0;
  unsigned next = text.size() > 1 ? octet(text[1]) : 0;
  bool trails = next >= 0x40 && next != 0x7f && next != 0xff;
  bool leads = charset == Charset::kShiftJis     ? (c >= 0x81 && c <= 0x9f) || (c >= 0xe0 && c <= 0xfc)
               : charset == Charset::kDoubleByte ? c >= 0x81 && c <= 0xfe
                                                 : false;
  return leads && trails ? 2 : 1;
}

// An address as its pieces come: white space is only allowed around '.' and '@'.
class Spelling {
 public:
  void add(std::string_view piece) {
    bool joined = text_.empty() || glue(text_.back()) || glue(piece.front());
    if (gap_ && !joined) broken_ = true;
    text_ += piece;
    gap_ = false;
  }
  void gap() { gap_ = true; }
  bool empty() const { return text_.empty(); }

  // RFC 5322 section 3.4.1 addr-spec, or a local part alone.
  bool good() const {
    if (broken_ || text_.empty() || text_.size() > 1000) return false;
    std::string_view local = local_part(text_), domain = domain_part(text_);
    bool has_at = local.size() < text_.size();
    if (local.empty() || (has_at && domain.empty())) return false;
    bool plain_local =
        local.front() == '"' || std::ranges::all_of(local, [](char c) { return is_atext(c) || c == '.'; });
    bool literal = domain.starts_with('[') && domain.ends_with(']');
    bool plain_domain = literal || std::ranges::all_of(domain, [](char c) {
                          return is_alpha(c) || is_digit(c) || octet(c) >= 0x80 || c == '.' || c == '-' || c == '_';
                        });
    return plain_local && plain_domain;
  }
  std::string take() { return std::move(text_); }

 private:
  static bool glue(char c) { return c == '.' || c == '@'; }

  std::string text_;
  bool gap_ = false, broken_ = false;
};

class ListParser {
 public:
  ListParser(std::string_view text, Charset charset) : text_(text), charset_(charset) {}

  std::optional<AddressList> run() {
    while (at_ < text_.size()) {
      if (!element()) return std::nullopt;
    }
    if (loose_ != std::string_view::npos) return std::nullopt;
    return std::move(list_);
  }

 private:
  struct Element {
    std::size_t begin = std::string_view::npos, end = 0;  // of its words
    bool comment = false, angle = false, behind = false;  // behind: <a@b.example> Ann
    Spelling spelling;                                    // of the words, for the case that they are the address
    ListedAddress found;

    void word(std::size_t from, std::size_t to, std::string_view text) {
      if (begin == std::string_view::npos) begin = from;
      end = to;
      spelling.add(text.substr(from, to - from));
    }
  };

  // Up to the comma, semicolon or end that follows it.
  bool element() {
    Element e;
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (std::size_t n = letter(text_.substr(at_), charset_)) {
        if (!words(e, n)) return false;
      } else if (c == ',' || c == ';') {
        ++at_;
        const bool good = close(e);
        list_.last_separator = at_;
        if (c == ';') joinable_ = list_.addresses.size();
        return good;
      } else if (c == ':') {  // what stood before is a group's name
        if (e.angle || e.begin == std::string_view::npos) return false;
        ++at_;
        list_.group = true;
        joinable_ = list_.addresses.size();
        e = Element();
      } else if (is_space(c)) {
        ++at_;
        e.spelling.gap();
      } else if (c == '(') {
        if (!comment()) return false;
        e.comment = true;
        e.spelling.gap();
      } else if (c == '<') {
        if (e.angle || !angle(e)) return false;
      } else if (c == '"' || c == '[') {
        std::size_t end = closed(at_, c == '"' ? '"' : ']');
        if (end == 0 && c == '"') return false;
        if (!words(e, end == 0 ? 1 : end - at_)) return false;
      } else if (is_control(c)) {
        return false;
      } else {
        if (!words(e, 1)) return false;
      }
    }
    return close(e);
  }

  bool words(Element& e, std::size_t n) {
    if (!e.angle) {
      e.word(at_, at_ + n, text_);
    } else if (e.found.open || text_[at_] == '@') {
      return false;
    } else {
      e.behind = true;
    }
    at_ += n;
    return true;
  }

  bool close(Element& e) {
    bool empty = e.begin == std::string_view::npos && !e.angle;
    if (empty) return true;
    ListedAddress& found = e.found;
    if (!e.angle && !e.spelling.good()) {
      if (loose_ == std::string_view::npos) loose_ = e.begin;
      return true;
    }
    if (!e.angle) {
      found.begin = found.mailbox = e.begin;
      found.end = found.mailbox_end = e.end;
      found.address = e.spelling.take();
    } else if (e.begin != std::string_view::npos) {
      found.mailbox = e.begin;
      join_name(found);
    }
    found.named = e.comment || e.behind || (e.angle && e.begin != std::string_view::npos);
    list_.addresses.push_back(std::move(found));
    return loose_ == std::string_view::npos;
  }

  // A name with a comma that should have been quoted: Yamada, Taro <taro@example.org>. What has a comment of its own
  // (root (Cron Daemon)), and what another group or a semicolon parts from it, is no part of a name.
  void join_name(ListedAddress& found) {
    auto& before = list_.addresses;
    const std::size_t begin = found.mailbox;
    found.mailbox = std::min(found.mailbox, std::exchange(loose_, std::string_view::npos));
    while (before.size() > joinable_ && !before.back().angle && !before.back().named &&
           domain_part(before.back().address).empty()) {
      found.mailbox = before.back().mailbox;
      before.pop_back();
    }
    found.joined = found.mailbox < begin;
    list_.last_separator = std::min(list_.last_separator, found.mailbox);
  }

  // '<' address '>', or to the end; RFC 5322 section 4.4: a source route in it is passed over.
  bool angle(Element& e) {
    e.angle = true;
    e.found.angle = true;
    e.found.mailbox = at_++;
    e.found.begin = at_;
    Spelling spelling;
    std::size_t last = at_;  // behind what belongs to the address
    while (at_ < text_.size() && text_[at_] != '>') {
      char c = text_[at_];
      if (std::size_t n = letter(text_.substr(at_), charset_)) {
        if (c == kEscape) return false;
        spelling.add(text_.substr(at_, n));
        last = at_ += n;
      } else if (is_space(c)) {
        ++at_;
        spelling.gap();
      } else if (c == '(') {
        if (!comment()) return false;
        spelling.gap();
      } else if (c == '"' || c == '[') {
        std::size_t end = closed(at_, c == '"' ? '"' : ']');
        if (end == 0) return false;
        spelling.add(text_.substr(at_, end - at_));
        last = at_ = end;
      } else if (c == '@' && spelling.empty()) {
        auto colon = text_.find_first_of(":>", at_);
        if (colon == std::string_view::npos || text_[colon] == '>') return false;
        at_ = colon + 1;
      } else if (c == '<' || is_control(c)) {
        return false;
      } else {
        spelling.add(text_.substr(at_, 1));
        last = ++at_;
      }
    }
    if (!spelling.good()) return false;
    e.found.open = at_ == text_.size();
    e.found.end = e.found.open ? last : at_++;
    e.found.mailbox_end = e.found.open ? last : at_;
    e.found.address = spelling.take();
    return true;
  }

  // Behind the character that closes what begins at `at`; 0: it is never closed.
  std::size_t closed(std::size_t at, char closing) const {
    for (++at; at < text_.size();) {
      if (std::size_t n = letter(text_.substr(at), charset_)) {
        at += n;
      } else if (text_[at] == '\\') {  // RFC 5322 section 3.2.1 quoted-pair
        at += 2;
      } else if (text_[at] == closing) {
        return at + 1;
      } else {
        ++at;
      }
    }
    return 0;
  }

  // RFC 5322 section 3.2.2: comments nest.
  bool comment() {
    unsigned depth = 0;
    while (at_ < text_.size()) {
      if (std::size_t n = letter(text_.substr(at_), charset_)) {
        at_ += n;
        continue;
      }
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        std::size_t n = letter(text_.substr(at_), charset_);
        at_ += n == 0 ? 1 : n;
      }
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) return true;
    }
    return false;
  }

  std::string_view text_;
  Charset charset_;
  std::size_t at_ = 0;
  std::size_t loose_ = std::string_view::npos;  // words that may belong to the name of what follows
  std::size_t joinable_ = 0;                    // as may those addresses from here on that are words alone
  AddressList list_;
};

// Where the local part ends: at the last '@' outside of quotes and literals.
std::size_t at_sign(std::string_view address) {
  if (address.starts_with('"')) {
    for (std::size_t at = 1; at < address.size(); ++at) {
      if (address[at] == '\\') {
        ++at;
      } else if (address[at] == '"') {
        return address.find('@', at);
      }
    }
    return std::string_view::npos;
  }
  auto literal = address.find("@[");
  return literal != std::string_view::npos ? literal : address.rfind('@');
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::optional<AddressList> parse_address_list(std::string_view value) {
  auto as = [&](Charset charset) { return ListParser(value, charset).run(); };
  if (value.contains(kEscape)) {
    for (Charset charset : {Charset::kIso2022, Charset::kIso2022Open, Charset::kIso2022OpenQuoted}) {
      if (auto list = as(charset)) return list;
    }
  } else if (!is_utf8(value)) {
    // Japanese first. In EUC-JP and Latin-1 no octet is mistaken by these readings.
    if (auto list = as(Charset::kShiftJis)) return list;
    if (auto list = as(Charset::kDoubleByte)) return list;
  }
  return as(Charset::kPlain);
}

std::string_view local_part(std::string_view address) {
  return address.substr(0, at_sign(address));
}

std::string_view domain_part(std::string_view address) {
  auto at = at_sign(address);
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string unquoted(std::string_view local) {
  if (local.size() < 2 || local.front() != '"' || local.back() != '"') return std::string(local);
  std::string out;
  for (std::size_t at = 1; at + 1 < local.size(); ++at) {
    if (local[at] == '\\' && at + 2 < local.size()) ++at;
    out += local[at];
  }
  return out;
}

std::string quoted_local(std::string_view text) {
  bool plain = !text.empty() && std::ranges::all_of(text, [](char c) { return is_atext(c) || c == '.'; });
  return plain ? std::string(text) : in_quotes(text);
}

std::string quoted_name(std::string_view text) {
  bool plain = !text.empty() && std::ranges::all_of(text, is_atext);
  return plain ? std::string(text) : in_quotes(text);
}

bool same_address(std::string_view a, std::string_view b) {
  return mail::same_domain(domain_part(a), domain_part(b)) && iequals(unquoted(local_part(a)), unquoted(local_part(b)));
}

}  // namespace sidegate::rewrite
