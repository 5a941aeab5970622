// The content of a DATA command: removes the dots that the client added and finds the end (RFC 5321 section 4.5.2), at
// any split of the input. Only CRLF.CRLF ends it. Bare CR, bare LF, NUL and lines over the limit are faults (SMTP
// smuggling begins with them); the true end is found behind a fault all the same, so that nothing of a message is ever
// read as a command. Pure.
//
//   while (!bytes.empty() && !reader.done()) {
//     auto step = reader.next(bytes);
//     use(step.content);
//     bytes.remove_prefix(step.consumed);
//   }
#pragma once

#include "smtp/content_check.h"

namespace sidegate::smtp {

class DotReader {
 public:
  struct Step {
    std::size_t consumed = 0;  // of the input; 0 only where content is not empty
    std::string_view content;  // a part of the input, or of a constant
  };

  explicit DotReader(std::size_t max_line) : check_(max_line) {}

  // bytes: not empty. Not after done().
  Step next(std::string_view bytes);
  bool done() const { return state_ == State::kDone; }

  ContentFault fault() const { return check_.fault(); }
  bool eight_bit() const { return check_.eight_bit(); }
  std::size_t longest_line() const { return check_.longest_line(); }

 private:
  // What came last: a CRLF (or nothing), a dot behind it, a CR behind that; a CR in a line, anything else in a line.
  enum class State : unsigned char { kLineStart, kDot, kDotCr, kCr, kText, kDone };

  std::size_t text_length(std::string_view bytes) const;
  void advance(std::string_view text);

  State state_ =
      State::kLineStart;  // RFC 5321 section 4.1.1.4: the CRLF of DATA counts, so ".CRLF" is an empty message
  ContentCheck check_;
};

}  // namespace sidegate::smtp
