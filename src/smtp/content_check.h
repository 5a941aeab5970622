// What every octet of a message's content must obey, however it came (DATA or BDAT), over pieces of any size: lines end
// with CRLF and nothing else, no NUL, no line over the limit. Notes what the ways out need to know. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidegate::smtp {

enum class ContentFault : std::uint8_t { kNone, kBareCr, kBareLf, kNul, kLineTooLong };

class ContentCheck {
 public:
  // max_line: octets of a line, CRLF included (RFC 5321 section 4.5.3.1.6).
  explicit ContentCheck(std::size_t max_line) : max_line_(max_line) {}

  void push(std::string_view bytes);
  // Nothing follows: a CR that waits for its LF is a bare one.
  void finish();

  ContentFault fault() const { return fault_; }                                     // the first one
  bool eight_bit() const { return eight_bit_; }                                     // some octet >= 0x80 (RFC 6152)
  std::size_t longest_line() const { return line_ > longest_ ? line_ : longest_; }  // octets without CRLF
  bool after_cr() const { return after_cr_; }

 private:
  bool push_clean(std::string_view bytes);
  void push_slow(std::string_view bytes);
  void end_line(std::size_t length);
  void note(ContentFault fault) {
    if (fault_ == ContentFault::kNone) fault_ = fault;
  }

  std::size_t max_line_;
  std::size_t line_ = 0;  // octets of the line under way, a last CR not counted
  std::size_t longest_ = 0;
  ContentFault fault_ = ContentFault::kNone;
  bool after_cr_ = false;  // the last octet was a CR
  bool eight_bit_ = false;
};

}  // namespace sidegate::smtp
