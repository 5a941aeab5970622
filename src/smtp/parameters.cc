#include "smtp/parameters.h"

#include <limits>

#include "base/text.h"

namespace sidegate::smtp {
namespace {

using mail::EnhancedCode;
using mail::Reply;

constexpr std::size_t kMaxEnvid = 100;  // RFC 3461 section 4.4
constexpr std::size_t kMaxAuth = 500;   // RFC 4954 section 3
constexpr std::size_t kMaxOrcpt = 500;  // RFC 3461 section 4.2

struct Parameter {
  std::string_view keyword, value;
  bool has_value = false;
};

// The next one of `text`, which is cut behind it; false at the end.
bool next_parameter(std::string_view& text, Parameter& parameter) {
  std::size_t start = text.find_first_not_of(' ');
  if (start == std::string_view::npos) return false;
  std::string_view word = text.substr(start, text.find(' ', start) - start);
  text.remove_prefix(start + word.size());
  std::size_t equals = word.find('=');
  parameter.has_value = equals != std::string_view::npos;
  parameter.keyword = word.substr(0, equals);
  parameter.value = parameter.has_value ? word.substr(equals + 1) : std::string_view();
  return true;
}

// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"); a value is never empty and holds no "=".
bool is_well_formed(const Parameter& parameter) {
  if (parameter.keyword.empty() || parameter.keyword.front() == '-') return false;
  for (char c : parameter.keyword) {
    if (!is_alpha(c) && !is_digit(c) && c != '-') return false;
  }
  if (!parameter.has_value) return true;
  if (parameter.value.empty() || parameter.value.find('=') != std::string_view::npos) return false;
  return is_ascii(parameter.value) || is_utf8(parameter.value);
}

// Shows a word of the peer in a reply to it, cut short; control characters cannot be in a command.
std::string shown(std::string_view word) {
  return printable(word, 40);
}

Parsed<void> read_size(std::string_view value, MailCommand& command) {
  // RFC 1870 section 4: up to 20 digits.
  if (value.size() > 20 || value.find_first_not_of("0123456789") != std::string_view::npos)
    return bad("SIZE takes a number");
  auto size = parse_number(value);
  command.size = size ? *size : std::numeric_limits<std::uint64_t>::max();
  return {};
}

Parsed<void> read_body(std::string_view value, MailCommand& command) {
  if (iequals(value, "7BIT")) {
    command.body = mail::BodyType::k7bit;
  } else if (iequals(value, "8BITMIME")) {
    command.body = mail::BodyType::k8bitMime;
  } else if (iequals(value, "BINARYMIME")) {
    // RFC 3030: few ways out take it; we would bounce what we accepted.
    return std::unexpected(Reply(555, {5, 5, 4}, "BODY=BINARYMIME is not offered here"));
  } else {
    return bad("BODY is 7BIT or 8BITMIME");
  }
  return {};
}

Parsed<void> read_ret(std::string_view value, MailCommand& command) {
  if (iequals(value, "FULL")) {
    command.ret = mail::Ret::kFull;
  } else if (iequals(value, "HDRS")) {
    command.ret = mail::Ret::kHeaders;
  } else {
    return bad("RET is FULL or HDRS");
  }
  return {};
}

Parsed<void> read_envid(std::string_view value, MailCommand& command) {
  if (value.size() > kMaxEnvid || !is_xtext(value)) return bad("ENVID takes at most 100 characters of xtext");
  command.envid = value;
  return {};
}

// RFC 4954 section 5: a mailbox in xtext, or "<>". Who first sent the message is not for a client to tell us: it is
// checked and otherwise passed over, as if it were "<>".
Parsed<void> read_auth(std::string_view value) {
  if (value == "<>") return {};
  if (value.size() > kMaxAuth || !is_xtext(value)) return bad("AUTH takes a mailbox in xtext, or <>");
  return {};
}

Parsed<void> read_notify(std::string_view value, RcptCommand& command) {
  mail::Notify& notify = command.notify;
  // RFC 3461 section 4.1: NEVER alone, or a list of the others.
  for (std::string_view word : split(value, ',')) {
    bool* flag = iequals(word, "NEVER")     ? &notify.never
                 : iequals(word, "SUCCESS") ? &notify.success
                 : iequals(word, "FAILURE") ? &notify.failure
                 : iequals(word, "DELAY")   ? &notify.delay
                                            : nullptr;
    if (!flag || *flag) return bad("NOTIFY is NEVER or a list of SUCCESS, FAILURE and DELAY");
    *flag = true;
  }
  if (notify.never && (notify.success || notify.failure || notify.delay)) return bad("NOTIFY=NEVER stands alone");
  return {};
}

Parsed<void> read_orcpt(std::string_view value, bool smtputf8, RcptCommand& command) {
  if (value.size() > kMaxOrcpt || !is_orcpt(value, smtputf8)) return bad("ORCPT takes a type, a semicolon and xtext");
  command.orcpt = value;
  return {};
}

int hex_value(char c) {
  return is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Goes through the parameters; `take` reads one it knows and returns its index, for "given twice".
template <typename Take>
Parsed<void> read_parameters(std::string_view text, Take take) {
  unsigned seen = 0;
  Parameter parameter;
  while (next_parameter(text, parameter)) {
    if (!is_well_formed(parameter)) return bad("Ill-formed parameter: " + shown(parameter.keyword));
    Parsed<int> index = take(parameter);
    if (!index) return std::unexpected(std::move(index.error()));
    if (*index < 0) {
      // RFC 5321 section 4.1.1.11
      return std::unexpected(Reply(555, {5, 5, 4}, "Parameter not recognised: " + shown(parameter.keyword)));
    }
    if (seen & (1u << *index)) return bad("Parameter given twice: " + shown(parameter.keyword));
    seen |= 1u << *index;
  }
  return {};
}

Parsed<int> as_index(int index, Parsed<void> read) {
  if (!read) return std::unexpected(std::move(read.error()));
  return index;
}

}  // namespace

Parsed<void> read_mail_parameters(std::string_view text, MailCommand& command) {
  return read_parameters(text, [&command](const Parameter& p) -> Parsed<int> {
    if (iequals(p.keyword, "SIZE")) return as_index(0, read_size(p.has_value ? p.value : "?", command));
    if (iequals(p.keyword, "BODY")) return as_index(1, read_body(p.value, command));
    if (iequals(p.keyword, "RET")) return as_index(2, read_ret(p.value, command));
    if (iequals(p.keyword, "ENVID"))
      return as_index(3, p.has_value ? read_envid(p.value, command) : bad("ENVID takes a value"));
    if (iequals(p.keyword, "AUTH")) {
      command.has_auth = true;
      return as_index(5, p.has_value ? read_auth(p.value) : bad("AUTH takes a value"));
    }
    if (iequals(p.keyword, "SMTPUTF8")) {
      if (p.has_value) return bad("SMTPUTF8 takes no value");  // RFC 6531 section 3.4
      command.smtputf8 = true;
      return 4;
    }
    if (iequals(p.keyword, "REQUIRETLS")) {
      if (p.has_value) return bad("REQUIRETLS takes no value");  // RFC 8689 section 2
      command.requiretls = true;
      return 6;
    }
    return -1;
  });
}

Parsed<void> read_rcpt_parameters(std::string_view text, bool smtputf8, RcptCommand& command) {
  return read_parameters(text, [&command, smtputf8](const Parameter& p) -> Parsed<int> {
    if (iequals(p.keyword, "NOTIFY")) {
      if (command.notify.specified()) return bad("Parameter given twice: NOTIFY");
      return as_index(0, read_notify(p.value, command));
    }
    if (iequals(p.keyword, "ORCPT")) return as_index(1, read_orcpt(p.value, smtputf8, command));
    return -1;
  });
}

bool is_xtext(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+') {
      if (text.size() - i < 3) return false;
      int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      // RFC 3461 sections 4.2 and 4.4: what it decodes to is printable; so no CR or LF comes out of it in a report.
      if (high < 2 || high > 7 || low < 0 || (high == 7 && low == 15)) return false;
      i += 2;
    } else if (c < '!' || c > '~' || c == '=') {
      return false;
    }
  }
  return true;
}

bool is_orcpt(std::string_view text, bool smtputf8) {
  std::size_t semicolon = text.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0 || semicolon + 1 == text.size()) return false;
  std::string_view type = text.substr(0, semicolon), address = text.substr(semicolon + 1);
  for (char c : type) {  // RFC 3461 section 4.2: addr-type is an atom
    if (!is_alpha(c) && !is_digit(c) && std::string_view("!#$%&'*-/?^_`{|}~").find(c) == std::string_view::npos)
      return false;
  }
  if (is_ascii(address)) return is_xtext(address);
  // RFC 6533 section 3: utf-8-addr-unitext, only with SMTPUTF8.
  return smtputf8 && iequals(type, "utf-8") && is_utf8(address);
}

}  // namespace sidegate::smtp
