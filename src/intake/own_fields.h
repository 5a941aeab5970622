// What we add to a message: the trace field (RFC 5321 section 4.4) and, where a program forgot them, Date and
// Message-ID. Nothing else changes by one octet. Pure.
#pragma once

#include <string>

#include "mail/header.h"

namespace sidegate::intake {

// RFC 3848, and RFC 6531 section 4.3: "SMTP", "ESMTP", "ESMTPS", "UTF8SMTPSA" ...
std::string protocol_keyword(bool esmtp, bool tls, bool authenticated, bool smtputf8);

// Date and Message-ID (RFC 5322 section 3.6) where `header` has none; RFC 6409 section 8 lets a submission server do
// so.
std::string missing_fields(std::string_view header, WallTime now, QueueId id, std::string_view hostname);

}  // namespace sidegate::intake
