// A message as programs write it, made into what may go on the wire: lines end with CRLF, whatever they ended with; a
// lone
// "." ends it where -i does not say otherwise; no NUL, no bare CR, no line that a server would refuse. Pure.
//
//   LF, CRLF and CR CR LF end a line. A CR in the middle of one is a space in the header (what follows it is no field
//   of its own: a program that keeps LF out of a subject means one line) and the end of a line in the body.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sidegate::submit {

class TextReader {
 public:
  // Lines are broken here: CRLF and a space, as Postfix does at 998 octets. The server takes 64 KiB.
  static constexpr std::size_t kLongestLine = 64'000;
  static constexpr std::size_t kLargestHeader = 1 << 20;

  explicit TextReader(bool dot_ends) : dot_ends_(dot_ends) {}

  // False: the message has ended with its lone dot; what follows is not read.
  bool push(std::string_view bytes);
  void finish();  // after the last octet

  bool header_done() const { return header_done_; }
  // The fields, without the empty line; whole once header_done(). A "From " line of mbox files before them is left out.
  const std::string& header() const { return header_; }
  bool header_too_large() const { return header_.size() > kLargestHeader; }
  // What there is of the body since the last call, the empty line that begins it left out.
  std::string take_body() { return std::exchange(body_, {}); }
  bool eight_bit() const { return eight_bit_; }

 private:
  void line(std::string_view text);
  void header_line(std::string text);
  void body_line(std::string_view text);
  void break_line();

  bool dot_ends_;
  bool ended_ = false;
  bool header_done_ = false;
  bool eight_bit_ = false;
  std::string pending_;  // a line whose end has not come
  std::string header_, body_;
};

}  // namespace sidegate::submit
