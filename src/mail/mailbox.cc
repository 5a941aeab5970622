// Parts are measured, not copied: every scanner takes a text and returns how many octets at its start are such a part,
// 0 for none. A Mailbox is made once both parts have been measured.
#include "mail/mailbox.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace sidegate::mail {

namespace {

// RFC 5321 section 4.5.3.1.1 and 4.5.3.1.2.
constexpr std::size_t kLocalLimit = 64, kDomainLimit = 255, kLabelLimit = 63;
constexpr std::size_t kLongLocalLimit = 384;
// A source route is dropped, but it has to end: RFC 5321 section 4.5.3.1.3 has 256 for the whole path, old hosts more.
constexpr std::size_t kRouteLimit = 1024;

// RFC 5322 section 3.2.3 atext, and the dot anywhere (see the header).
constexpr std::array<bool, 256> kLocalChar = [] {
  std::array<bool, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 32] = true;
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (char c : std::string_view("!#$%&'*+-/=?^_`{|}~.")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr bool is_8bit(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool is_let_dig(char c) {
  return is_alpha(c) || is_digit(c);
}

// One UTF-8 character (RFC 6531 section 3.3), but no C1 control.
std::size_t scan_utf8(std::string_view text) {
  std::size_t length = utf8_sequence(text);
  bool c1 = length == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
  return c1 ? 0 : length;
}

std::size_t scan_dot_string(std::string_view text, bool utf8) {
  std::size_t at = 0;
  bool only_dots = true;
  while (at < text.size()) {
    char c = text[at];
    std::size_t length = kLocalChar[static_cast<unsigned char>(c)] ? 1
                         : utf8 && is_8bit(c)                      ? scan_utf8(text.substr(at))
                                                                   : 0;
    if (length == 0) break;
    if (c != '.') only_dots = false;
    at += length;
  }
  return only_dots ? 0 : at;
}

// RFC 5321 section 4.1.2 Quoted-string; the quotes count.
std::size_t scan_quoted_string(std::string_view text, bool utf8) {
  std::size_t at = 1;
  while (at < text.size()) {
    char c = text[at];
    if (c == '"') return at + 1;
    if (c == '\\') {  // quoted-pairSMTP: what follows is printable ASCII
      if (++at >= text.size() || is_control(text[at]) || is_8bit(text[at])) return 0;
      ++at;
    } else if (is_8bit(c)) {
      std::size_t length = utf8 ? scan_utf8(text.substr(at)) : 0;
      if (length == 0) return 0;
      at += length;
    } else if (is_control(c)) {
      return 0;
    } else {
      ++at;
    }
  }
  return 0;
}

std::size_t scan_local(std::string_view text, bool utf8) {
  return text.starts_with('"') ? scan_quoted_string(text, utf8) : scan_dot_string(text, utf8);
}

// Letters, digits, inner hyphens; inner and leading underscores, which names of containers and Windows hosts have.
std::size_t scan_label(std::string_view text, bool utf8) {
  std::size_t at = 0, good = 0;  // good: the end of what may end here
  bool ascii = true;
  while (at < text.size()) {
    char c = text[at];
    if (c == '-' && at > 0) {
      ++at;
      continue;
    }
    std::size_t length = is_let_dig(c) || c == '_' ? 1 : utf8 && is_8bit(c) ? scan_utf8(text.substr(at)) : 0;
    if (length == 0) break;
    ascii = ascii && length == 1;
    at += length;
    good = at;
  }
  return good == at && at <= kLabelLimit * (ascii ? 1 : 4) ? at : 0;
}

std::size_t scan_domain(std::string_view text, bool utf8) {
  std::size_t at = 0;
  for (;;) {
    std::size_t label = scan_label(text.substr(at), utf8);
    if (label == 0) return 0;
    at += label;
    if (at > kDomainLimit) return 0;
    if (at == text.size() || text[at] != '.') return at;
    ++at;
  }
}

bool is_ip(int family, std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN + 1> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  std::array<unsigned char, 16> address;
  return inet_pton(family, copy.data(), address.data()) == 1;
}

// RFC 5321 section 4.1.3 General-address-literal: Standardized-tag ":" 1*dcontent. An IPv6 address that lacks its tag
// would pass as one. No tag but IPv6 is registered, so we take none of the dcontent that means something elsewhere in a
// header or a path: a HELO name of that form goes into the trace field as it is.
bool is_general_literal(std::string_view text) {
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || is_ip(AF_INET6, text)) return false;
  constexpr std::string_view kMeaning = "()<>\",;@";
  std::string_view tag = text.substr(0, colon);
  for (char c : tag) {
    if (!is_let_dig(c) && c != '-') return false;
  }
  if (tag.back() == '-') return false;
  for (char c : text.substr(colon + 1)) {
    if (c < 33 || c > 126 || (c >= '[' && c <= ']') || kMeaning.find(c) != std::string_view::npos) return false;
  }
  return true;
}

// "[" ... "]", RFC 5321 section 4.1.3.
std::size_t scan_literal(std::string_view text) {
  std::size_t end = text.substr(0, kDomainLimit).find(']');
  if (end == std::string_view::npos) return 0;
  std::string_view inside = text.substr(1, end - 1);
  bool good = istarts_with(inside, "IPv6:") ? is_ip(AF_INET6, inside.substr(5))
                                            : is_ip(AF_INET, inside) || is_general_literal(inside);
  return good ? end + 1 : 0;
}

std::size_t scan_host(std::string_view text, bool utf8) {
  return text.starts_with('[') ? scan_literal(text) : scan_domain(text, utf8);
}

// RFC 5321 section 3.6.1 and appendix C: "@one,@two:" before the mailbox is parsed and ignored.
std::size_t scan_source_route(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && at < kRouteLimit && text[at] == '@') {
    std::size_t domain = scan_host(text.substr(at + 1), false);
    if (domain == 0) return 0;
    at += 1 + domain;
    if (at == text.size()) return 0;
    if (text[at] == ':') return at + 1;
    if (text[at] != ',') return 0;
    ++at;
  }
  return 0;
}

// Return addresses of forwarded mail hold a whole address in their local part, so other servers make long ones too. RFC
// 5321 section 4.5.3.1: to take more than the limits say is allowed, and asked for.
std::size_t local_limit(std::string_view text) {
  if (text.starts_with('"')) text.remove_prefix(1);
  bool srs = istarts_with(text, "SRS0") || istarts_with(text, "SRS1");
  return srs ? kLongLocalLimit : kLocalLimit;
}

struct Extent {
  std::size_t local = 0, domain = 0;
  std::size_t size() const { return domain == 0 ? local : local + 1 + domain; }
};

// How far the mailbox at the start of `text` goes; nullptr in `wrong` when there is one. bare: the domain may be
// missing.
Extent scan_mailbox(std::string_view text, bool utf8, const char*& wrong, bool bare = false) {
  wrong = nullptr;
  Extent extent;
  extent.local = scan_local(text, utf8);
  if (extent.local == 0) {
    wrong = "malformed local part";
  } else if (extent.local > local_limit(text)) {
    wrong = "local part longer than 64 octets";
  } else if (extent.local == text.size() || text[extent.local] != '@') {
    // RFC 5321 section 4.1.1.3: "Postmaster" without a domain, in any case.
    if (!bare && !iequals(text.substr(0, extent.local), "postmaster")) wrong = "no domain";
  } else {
    extent.domain = scan_host(text.substr(extent.local + 1), utf8);
    if (extent.domain == 0) wrong = "malformed domain";
  }
  return extent;
}

std::unexpected<Error> bad(const char* wrong, std::string_view text) {
  return fail(ErrorKind::kBadInput, std::string(wrong) + " in '" + printable(text, 200) + "'");
}

}  // namespace

struct PathParser {
  static Mailbox make(std::string_view text, const Extent& extent) {
    Mailbox mailbox;
    mailbox.local_ = text.substr(0, extent.local);
    if (extent.domain != 0) mailbox.domain_ = text.substr(extent.local + 1, extent.domain);
    return mailbox;
  }
};

Result<Mailbox> Mailbox::parse(std::string_view text, bool utf8) {
  const char* wrong;
  Extent extent = scan_mailbox(text, utf8, wrong);
  if (wrong == nullptr && extent.size() != text.size())
    wrong = extent.domain == 0 ? "malformed local part" : "malformed domain";
  if (wrong != nullptr) return bad(wrong, text);
  return PathParser::make(text, extent);
}

std::string Mailbox::text() const {
  if (domain_.empty()) return local_;
  std::string out;
  out.reserve(local_.size() + 1 + domain_.size());
  out += local_;
  out += '@';
  out += domain_;
  return out;
}

std::string Mailbox::domain_key() const {
  return lower(domain_);
}

bool Mailbox::needs_utf8() const {
  return !is_ascii(local_) || !is_ascii(domain_);
}

Result<Path> parse_path(std::string_view text, bool utf8) {
  if (!text.starts_with('<')) return bad("no '<'", text);
  Path path;
  if (text.starts_with("<>")) {
    path.is_null = true;
    path.length = 2;
    return path;
  }
  std::size_t at = 1;
  if (text.substr(at).starts_with('@')) {
    std::size_t route = scan_source_route(text.substr(at));
    if (route == 0) return bad("malformed source route", text);
    at += route;
  }
  const char* wrong;
  std::string_view rest = text.substr(at);
  Extent extent = scan_mailbox(rest, utf8, wrong, true);
  if (wrong != nullptr) return bad(wrong, text);
  at += extent.size();
  if (at == text.size() || text[at] != '>') return bad("no '>' after the address", text);
  path.mailbox = PathParser::make(rest, extent);
  path.length = at + 1;
  return path;
}

bool is_mailbox(std::string_view text, bool utf8) {
  const char* wrong;
  return scan_mailbox(text, utf8, wrong).size() == text.size() && wrong == nullptr;
}

bool is_helo_name(std::string_view text) {
  if (text.empty()) return false;
  if (scan_host(text, false) == text.size()) return true;
  // Programs that forget the tag "IPv6:" are many, and nothing hangs on it here.
  return text.size() > 2 && text.starts_with('[') && text.ends_with(']') &&
         is_ip(AF_INET6, text.substr(1, text.size() - 2));
}

bool is_domain(std::string_view text, bool utf8) {
  return !text.empty() && scan_domain(text, utf8) == text.size();
}

}  // namespace sidegate::mail
