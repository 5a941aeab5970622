#include "smtp/command.h"

#include "base/text.h"
#include "smtp/parameters.h"

namespace sidegate::smtp {
namespace {

using mail::EnhancedCode;
using mail::Reply;

constexpr EnhancedCode kSyntax{5, 5, 4};
constexpr EnhancedCode kBadSender{5, 1, 7};
constexpr EnhancedCode kBadRecipient{5, 1, 3};
// RFC 6531 section 3.5, RFC 5248: non-ASCII addresses not permitted for that sender or recipient.
constexpr EnhancedCode kNeedsUtf8{5, 6, 7};

std::unexpected<Reply> refuse(int code, EnhancedCode status, std::string text) {
  return std::unexpected(Reply(code, status, std::move(text)));
}

std::string_view skip_spaces(std::string_view text) {
  std::size_t at = text.find_first_not_of(' ');
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

// What stands between the keyword and the parameters, and the rest.
struct PathAndRest {
  mail::Path path;
  std::string_view rest;
};

Parsed<PathAndRest> take_path(std::string_view arguments, std::string_view keyword, EnhancedCode bad) {
  bool sender = keyword == "FROM:";
  if (!istarts_with(arguments, keyword)) {
    return refuse(501, kSyntax, sender ? "Syntax: MAIL FROM:<address>" : "Syntax: RCPT TO:<address>");
  }
  // RFC 5321 section 3.3 allows no space here; real clients send one, and nothing is gained by refusing it.
  std::string_view text = skip_spaces(arguments.substr(keyword.size()));
  if (!text.starts_with('<')) {
    return refuse(501, bad,
                  sender ? "The sender must stand in angle brackets: MAIL FROM:<address>"
                         : "The recipient must stand in angle brackets: RCPT TO:<address>");
  }
  auto path = mail::parse_path(text, true);
  if (!path) return refuse(501, bad, sender ? "Bad sender address syntax" : "Bad recipient address syntax");
  std::string_view rest = text.substr(path->length);
  if (!rest.empty() && rest.front() != ' ') {
    return refuse(501, bad,
                  sender ? "Text after the sender's closing bracket" : "Text after the recipient's closing bracket");
  }
  return PathAndRest{std::move(*path), rest};
}

std::unexpected<Reply> needs_smtputf8(bool sender) {
  return refuse(553, kNeedsUtf8,
                sender ? "Non-ASCII sender address needs SMTPUTF8" : "Non-ASCII recipient address needs SMTPUTF8");
}

}  // namespace

CommandLine split_command(std::string_view line) {
  // RFC 5321 section 4.1.1: trailing white space before the CRLF is tolerated.
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return {line, {}};
  return {line.substr(0, space), skip_spaces(line.substr(space + 1))};
}

bool has_control(std::string_view line) {
  for (char c : line) {
    if (is_control(c)) return true;
  }
  return false;
}

Parsed<MailCommand> parse_mail(std::string_view arguments) {
  auto taken = take_path(arguments, "FROM:", kBadSender);
  if (!taken) return std::unexpected(std::move(taken.error()));
  MailCommand command;
  command.path = std::move(taken->path);
  if (auto read = read_mail_parameters(taken->rest, command); !read) return std::unexpected(std::move(read.error()));
  // RFC 6531 section 3.4: the parameter is what allows the address.
  if (command.path.mailbox.needs_utf8() && !command.smtputf8) return needs_smtputf8(true);
  return command;
}

Parsed<RcptCommand> parse_rcpt(std::string_view arguments, bool smtputf8) {
  auto taken = take_path(arguments, "TO:", kBadRecipient);
  if (!taken) return std::unexpected(std::move(taken.error()));
  if (taken->path.is_null) return refuse(501, kBadRecipient, "A recipient cannot be the null path");
  if (taken->path.mailbox.needs_utf8() && !smtputf8) return needs_smtputf8(false);
  RcptCommand command;
  command.path = std::move(taken->path);
  if (auto read = read_rcpt_parameters(taken->rest, smtputf8, command); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return command;
}

Parsed<BdatCommand> parse_bdat(std::string_view arguments) {
  std::size_t space = arguments.find(' ');
  std::string_view number = arguments.substr(0, space);
  std::string_view word = space == std::string_view::npos ? std::string_view() : skip_spaces(arguments.substr(space));
  auto size = parse_number(number);
  if (!size || (!word.empty() && !iequals(word, "LAST"))) return refuse(501, kSyntax, "Syntax: BDAT size [LAST]");
  return BdatCommand{*size, !word.empty()};
}

std::string_view attempted_path(std::string_view arguments) {
  const std::size_t colon = arguments.find(':');
  if (colon == std::string_view::npos) return arguments;
  std::string_view path = skip_spaces(arguments.substr(colon + 1));
  if (!path.starts_with('<')) return path;
  path.remove_prefix(1);
  return path.substr(0, path.rfind('>'));
}

Parsed<std::string_view> parse_helo(std::string_view arguments) {
  if (arguments.empty()) return refuse(501, kSyntax, "Your host name is missing");
  return arguments;
}

}  // namespace sidegate::smtp
