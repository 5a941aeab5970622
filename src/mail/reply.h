// An SMTP reply (RFC 5321 section 4.2) and its enhanced status code (RFC 3463, 2034).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::mail {

struct EnhancedCode {
  std::uint16_t cls = 0, subject = 0, detail = 0;  // 2, 4 or 5; 0..999; 0..999
  auto operator<=>(const EnhancedCode&) const = default;
  std::string text() const;                                         // "5.1.1"
  static std::optional<EnhancedCode> parse(std::string_view text);  // exactly "c.s.d"
};

struct Reply {
  int code = 0;
  std::optional<EnhancedCode> status;
  std::vector<std::string> lines;  // text without code and status; one element for the usual reply

  Reply() = default;
  bool operator==(const Reply&) const = default;
  Reply(int c, std::string text) : code(c), lines{std::move(text)} {}
  Reply(int c, EnhancedCode s, std::string text) : code(c), status(s), lines{std::move(text)} {}

  bool positive() const { return code >= 200 && code < 300; }
  bool transient() const { return code >= 400 && code < 500; }
  bool permanent() const { return code >= 500 && code < 600; }
  std::string text() const;  // lines joined by a space
  std::string line() const;  // "550 5.1.1 no such user", joined; for logs and reports
  // As sent: every line with code and status, CRLF at each end. Control characters in text become '?'.
  std::string wire() const;
};

// Reads one reply, line by line, as a client must: same code on every line, bounded in lines and octets (the limits of
// doc/design.md: 100 lines, 64 KiB). push() takes a line without CRLF.
class ReplyParser {
 public:
  enum class Step { kMore, kDone };
  Result<Step> push(std::string_view line);  // kProtocol on a malformed reply
  Reply take();                              // after kDone; the parser is fresh again
 private:
  Reply reply_;
  std::size_t octets_ = 0;
};

}  // namespace sidegate::mail
