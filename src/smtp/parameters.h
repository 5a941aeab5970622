// Parameters of MAIL and RCPT: "keyword=value" after a space (RFC 5321 section 4.1.2, esmtp-param).
#pragma once

#include <string_view>

#include "smtp/command.h"

namespace sidegate::smtp {

inline std::unexpected<mail::Reply> bad(std::string text) {
  return std::unexpected(mail::Reply(501, {5, 5, 4}, std::move(text)));
}

// Each fills what the parameters say. 501 5.5.4: ill-formed or given twice; 555 5.5.4: not one of ours (RFC 5321
// section 4.1.1.11); 552 5.3.4: a SIZE that no number holds.
Parsed<void> read_mail_parameters(std::string_view text, MailCommand& command);
Parsed<void> read_rcpt_parameters(std::string_view text, bool smtputf8, RcptCommand& command);

}  // namespace sidegate::smtp
