// The content of a message as files and commands of Unix take it: LF line ends, and for mbox no line that looks like
// the beginning of another message. Pure, a stream: pieces in, pieces out.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::helper {

class UnixLines {
 public:
  // quote_from: ">" before each line that begins with "From " (mbox, RFC 4155 appendix A).
  explicit UnixLines(bool quote_from) : quote_from_(quote_from) {}
  void push(std::string_view in, std::string& out);
  void finish(std::string& out);  // the last line ends too

 private:
  void put(char c, std::string& out);

  bool quote_from_;
  bool after_cr_ = false;
  bool line_start_ = true;  // nothing of this line is out yet, but `matched_` octets of "From "
  std::size_t matched_ = 0;
};

}  // namespace sidegate::helper
