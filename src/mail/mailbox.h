// Mailbox and path as they stand in an envelope (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Parsed once, at the
// edge; from there on a value of this type is known to hold no CR, LF, NUL or other control character.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sidegate::mail {

// local-part "@" domain, both exactly as written (quotes, case and dots kept): we pass on what we were given.
// Unquoted local parts with doubled, leading or trailing dots (old Japanese mobile addresses) are taken: a stated
// departure from RFC 5321 section 4.1.2. An empty domain is only possible for "Postmaster" (RFC 5321 section 4.1.1.3),
// and in a path: programs on this machine write to "root", and whoever asked for the path decides whether they may.
class Mailbox {
 public:
  Mailbox() = default;
  // "local@domain" without angle brackets. Limits: local part 64 octets, domain 255 (RFC 5321 section 4.5.3.1); utf8
  // says whether SMTPUTF8 was asked for. IPv4 and IPv6 address literals and general-address-literals are checked.
  static Result<Mailbox> parse(std::string_view text, bool utf8);

  const std::string& local() const { return local_; }
  const std::string& domain() const { return domain_; }
  std::string text() const;        // as in an envelope, without brackets
  std::string domain_key() const;  // lower case ASCII, for comparing and routing
  bool has_literal() const { return domain_.starts_with('['); }
  bool needs_utf8() const;  // some octet >= 0x80
  bool empty() const { return local_.empty() && domain_.empty(); }
  auto operator<=>(const Mailbox&) const = default;

 private:
  friend struct PathParser;
  std::string local_, domain_;
};

// What stands between < and > of MAIL or RCPT, and how much of the input it took. A source route is parsed and dropped
// (RFC 5321 section 3.6.1 and appendix C); "<>" is the null path.
struct Path {
  Mailbox mailbox;
  bool is_null = false;
  std::size_t length = 0;  // octets of the input consumed, brackets included
};
Result<Path> parse_path(std::string_view text, bool utf8);
bool is_mailbox(std::string_view text, bool utf8);  // what Mailbox::parse takes, without making one

// A host name as EHLO may give it: a domain or an address literal, also "[2001:db8::1]" without its tag. Underscores
// are taken (many Windows hosts).
bool is_helo_name(std::string_view text);
// RFC 5321 section 4.1.2 Domain; total <= 255, labels <= 63 octets (U-labels: RFC 5890 section 2.3.2.1, up to 252).
// Underscores are taken here too: hosts and containers that bear one in their name send mail as root@that.
bool is_domain(std::string_view text, bool utf8);

}  // namespace sidegate::mail
