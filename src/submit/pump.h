// `sendmail -bs`: the dialogue of a program on standard input and output, carried to a server's socket and back.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::submit {

// Who ends commands with LF alone (a person, a shell script) does so all the way; who sends CRLF in its first command
// is taken at its word: nothing else ends a line of its message, or a text that it passes on could end it.
class LineEnds {
 public:
  std::string convert(std::string_view bytes);

 private:
  enum class Style : unsigned char { kUnknown, kAsItIs, kLf };
  Style style_ = Style::kUnknown;
  char last_ = 0;
};

// Until the server closes; takes the descriptor. already: what the server has said before. False: the connection broke.
bool pump(int fd, std::string_view already);

}  // namespace sidegate::submit
