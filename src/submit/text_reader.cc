#include "submit/text_reader.h"

#include <algorithm>

#include "base/text.h"
#include "mail/header.h"

namespace sidegate::submit {
namespace {

std::string_view without_end(std::string_view text) {
  while (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool is_field(const std::string& line) {
  std::size_t at = 0;
  mail::Field field;
  return mail::detail::next_field(line, at, field);
}

bool is_mbox_line(std::string_view text) {
  while (text.starts_with('>')) text.remove_prefix(1);
  return text.starts_with("From ");
}

}  // namespace

bool TextReader::push(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kLongestLine - std::min(kLongestLine, pending_.size());
    if (end == std::string_view::npos || end > room) {
      const std::size_t take = std::min(bytes.size(), room);
      pending_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (pending_.size() >= kLongestLine && !bytes.empty()) break_line();
      continue;
    }
    if (pending_.empty()) {
      line(bytes.substr(0, end));
    } else {
      pending_.append(bytes.substr(0, end));
      line(std::exchange(pending_, {}));
    }
    bytes.remove_prefix(end + 1);
  }
  return !ended_;
}

void TextReader::finish() {
  if (!pending_.empty() && !ended_) line(std::exchange(pending_, {}));
  header_done_ = true;
}

// In the header where it may be folded, so that an address stays whole; its space begins the rest. (A CR at the end may
// be half of a line's end: it goes along.)
void TextReader::break_line() {
  std::size_t at = pending_.size();
  if (pending_.ends_with('\r')) --at;
  if (!header_done_) {
    const std::size_t blank = pending_.find_last_of(" \t,");
    if (blank != std::string::npos && blank > 0 && blank + 1 < at) at = blank + 1;
  }
  std::string rest = " " + pending_.substr(at);
  pending_.resize(at);
  line(std::exchange(pending_, {}));
  pending_ = std::move(rest);
}

void TextReader::line(std::string_view given) {
  const std::string_view text = without_end(given);
  if (dot_ends_ && text == ".") {
    ended_ = true;
    header_done_ = true;
    return;
  }
  if (!eight_bit_) eight_bit_ = !is_ascii(text);
  if (header_done_) return body_line(text);
  std::string one(text);
  std::erase(one, '\0');
  header_line(std::move(one));
}

void TextReader::header_line(std::string text) {
  if (text.empty()) {
    header_done_ = true;
    return;
  }
  std::ranges::replace(text, '\r', ' ');
  // RFC 5322 section 4.5.2: "From :" is a field of old.
  if (header_.empty() && is_mbox_line(text) && !is_field(text)) return;
  const bool continues = !header_.empty() && (text[0] == ' ' || text[0] == '\t');
  text += "\r\n";
  if (!continues && !is_field(text)) {  // no empty line, but no field either: the body has begun
    header_done_ = true;
    body_ += text;
    return;
  }
  header_ += text;
}

void TextReader::body_line(std::string_view text) {
  for (char c : text) {
    if (c == '\r') {
      body_ += "\r\n";
    } else if (c != '\0') {
      body_ += c;
    }
  }
  body_ += "\r\n";
}

}  // namespace sidegate::submit
