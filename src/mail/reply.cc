#include "mail/reply.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::mail {

namespace {

constexpr std::size_t kLineLimit = 100, kOctetLimit = 64 * 1024;  // of a peer's reply
constexpr std::size_t kWireLimit = 510;                           // RFC 5321 section 4.5.3.1.5, without CRLF

// 1*3DIGIT without leading zeros (RFC 3463 section 2). Moves `text` behind it.
std::optional<std::uint16_t> take_sub_code(std::string_view& text) {
  std::size_t digits = 0;
  unsigned value = 0;
  while (digits < text.size() && digits < 4 && is_digit(text[digits]))
    value = value * 10 + static_cast<unsigned>(text[digits++] - '0');
  if (digits == 0 || digits > 3 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint16_t>(value);
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

// Takes "5.1.1 " from the start of a line, where its class is that of the reply (RFC 2034 section 4).
std::optional<EnhancedCode> take_status(std::string_view& text, int code) {
  std::size_t end = std::min(text.find(' '), text.size());
  auto status = EnhancedCode::parse(text.substr(0, end));
  if (!status || status->cls != code / 100) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return status;
}

std::string without_controls(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), is_control, '?');
  return out;
}

std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;  // no half character
  return text.substr(0, limit);
}

void append_code(std::string& out, int code) {
  out += {static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
          static_cast<char>('0' + code % 10)};
}

// RFC 5321 section 4.2: the code of a client's view, 2xx to 5xx. The second digit may be any: 571 has been seen for
// years.
int parse_code(std::string_view line) {
  if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2])) return 0;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

}  // namespace

std::string EnhancedCode::text() const {
  return std::to_string(cls) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedCode> EnhancedCode::parse(std::string_view text) {
  if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return std::nullopt;
  EnhancedCode code;
  code.cls = static_cast<std::uint16_t>(text[0] - '0');
  text.remove_prefix(2);
  auto subject = take_sub_code(text);
  if (!subject || !take_dot(text)) return std::nullopt;
  auto detail = take_sub_code(text);
  if (!detail || !text.empty()) return std::nullopt;
  code.subject = *subject;
  code.detail = *detail;
  return code;
}

std::string Reply::text() const {
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += ' ';
    out += lines[i];
  }
  return out;
}

std::string Reply::line() const {
  std::string out;
  append_code(out, code);
  if (status) out += ' ' + status->text();
  std::string words = text();
  if (!words.empty()) out += ' ' + words;
  return out;
}

std::string Reply::wire() const {
  std::string before = status ? status->text() : std::string();
  std::string out;
  std::size_t count = std::max<std::size_t>(lines.size(), 1);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t start = out.size();
    append_code(out, code);
    out += i + 1 < count ? '-' : ' ';  // RFC 5321 section 4.2.1; the space also before an empty text
    out += before;
    std::string_view words = i < lines.size() ? std::string_view(lines[i]) : std::string_view();
    if (!before.empty() && !words.empty()) out += ' ';
    std::size_t text_at = out.size();
    out += cut(words, kWireLimit - (text_at - start));
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(text_at), out.end(), is_control, '?');
    out += "\r\n";
  }
  return out;
}

Result<ReplyParser::Step> ReplyParser::push(std::string_view line) {
  auto malformed = [&](const char* why) {
    *this = ReplyParser();
    return fail(ErrorKind::kProtocol, std::string(why) + ": '" + printable(line, 200) + "'");
  };
  int code = parse_code(line);
  if (code == 0) return malformed("not a reply");
  char separator = line.size() == 3 ? ' ' : line[3];  // RFC 5321 section 4.2.1: a bare code is a last line
  if (separator != ' ' && separator != '-') return malformed("not a reply");
  if (!reply_.lines.empty() && code != reply_.code) return malformed("reply changes its code");
  octets_ += line.size() + 2;
  if (reply_.lines.size() == kLineLimit || octets_ > kOctetLimit) return malformed("reply too long");

  line.remove_prefix(std::min<std::size_t>(4, line.size()));
  reply_.code = code;
  std::string_view rest = line;
  auto status = take_status(rest, code);
  if (status && !reply_.status) reply_.status = status;
  // RFC 2034 section 4: each line has it; one that differs from the first stays visible in the text.
  reply_.lines.push_back(without_controls(status && *status == *reply_.status ? rest : line));
  return separator == '-' ? Step::kMore : Step::kDone;
}

Reply ReplyParser::take() {
  Reply reply = std::move(reply_);
  *this = ReplyParser();
  return reply;
}

}  // namespace sidegate::mail
