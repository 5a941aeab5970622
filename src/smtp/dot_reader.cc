#include "smtp/dot_reader.h"

namespace sidegate::smtp {

DotReader::Step DotReader::next(std::string_view bytes) {
  std::size_t consumed = 0;
  if (state_ == State::kLineStart && bytes.front() == '.') {
    state_ = State::kDot;  // RFC 5321 section 4.5.2: the end, or a dot to remove
    ++consumed;
  }
  if (state_ == State::kDot && consumed < bytes.size()) {
    if (bytes[consumed] == '\r') {
      state_ = State::kDotCr;
      ++consumed;
    } else {
      state_ = State::kText;
    }
  }
  if (state_ == State::kDotCr && consumed < bytes.size()) {
    if (bytes[consumed] == '\n') {
      state_ = State::kDone;
      check_.finish();
      return {consumed + 1, {}};
    }
    state_ = State::kCr;  // a bare CR behind the removed dot
    check_.push("\r");
    return {consumed, "\r"};
  }
  std::string_view rest = bytes.substr(consumed);
  if (rest.empty()) return {consumed, {}};
  std::string_view text = rest.substr(0, text_length(rest));
  advance(text);
  check_.push(text);
  return {consumed + text.size(), text};
}

// Up to and with the first CRLF that a dot follows, or all.
std::size_t DotReader::text_length(std::string_view bytes) const {
  if (state_ == State::kCr && bytes.starts_with("\n.")) return 1;
  std::size_t at = bytes.find("\r\n.");
  return at == std::string_view::npos ? bytes.size() : at + 2;
}

void DotReader::advance(std::string_view text) {
  bool crlf = text.ends_with("\r\n") || (text == "\n" && state_ == State::kCr);
  state_ = crlf ? State::kLineStart : text.back() == '\r' ? State::kCr : State::kText;
}

}  // namespace sidegate::smtp
