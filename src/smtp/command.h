// The grammar of commands, from the server's side: pure, and what a peer is told about a fault is part of the result.
// Views point into the line they were made from; only what outlives the command is copied.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "mail/reply.h"
#include "smtp/receiver.h"

namespace sidegate::smtp {

// A value, or the reply that says what is wrong with the command.
template <typename T>
using Parsed = std::expected<T, mail::Reply>;

struct CommandLine {
  std::string_view verb;       // as sent; compare with iequals
  std::string_view arguments;  // after one space, without trailing spaces (RFC 5321 section 4.1.1)
};
CommandLine split_command(std::string_view line);

// A control character, NUL, bare CR or bare LF has no place in a command (RFC 5321 sections 2.3.8 and 4.1.2).
bool has_control(std::string_view line);

// "FROM:<path> parameters" (RFC 5321 section 4.1.1.2, 1870, 3461, 6152, 6531). A space after the colon is taken: old
// printers send it.
Parsed<MailCommand> parse_mail(std::string_view arguments);
// "TO:<path> parameters" (RFC 5321 section 4.1.1.3, 3461). smtputf8: of the transaction.
Parsed<RcptCommand> parse_rcpt(std::string_view arguments, bool smtputf8);
// What stands where the address should, of a MAIL or RCPT that could not be read; all of it where no such place is
// seen. For the log.
std::string_view attempted_path(std::string_view arguments);

struct BdatCommand {
  std::uint64_t size = 0;
  bool last = false;
};
Parsed<BdatCommand> parse_bdat(std::string_view arguments);  // RFC 3030 section 2

// The name of EHLO or HELO: whatever a device calls itself ("My PC", "host.", "printer(2)"). RFC 5321 section 4.1.4:
// mail is not refused because that is no name; nothing hangs on it, and the trace field shows such words in a comment
// only.
Parsed<std::string_view> parse_helo(std::string_view arguments);

// xtext (RFC 3461 section 4): printable ASCII without "+" and "=", which stand as "+" and two upper case hex digits;
// it decodes to printable ASCII only.
bool is_xtext(std::string_view text);
// "addr-type;address" of ORCPT (RFC 3461 section 4.2, RFC 6533 section 3).
bool is_orcpt(std::string_view text, bool smtputf8);

}  // namespace sidegate::smtp
