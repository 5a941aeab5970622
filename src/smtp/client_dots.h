// Dot-stuffing on the way out (RFC 5321 section 4.5.2), piece by piece.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::smtp {

class DotStuffing {
 public:
  // Appends `piece` to out with a dot before each dot that begins a line. A line begins after LF, whether or not CR
  // stands before it: a server that takes a bare LF for a line end must not find the end of the message inside it.
  void append(std::string& out, std::string_view piece);
  // What ends the message: CRLF only where the content does not end in one, then the lone dot.
  std::string_view end() const;

 private:
  bool line_start_ = true;  // nothing yet counts as a line's beginning
  bool after_cr_ = false;
  bool whole_lines_ = true;  // so far it ends in CRLF, or is empty
};

}  // namespace sidegate::smtp
