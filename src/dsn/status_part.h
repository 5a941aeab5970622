// The part of a report that programs read: message/delivery-status (RFC 3464) or its UTF-8 form (RFC 6533).
#pragma once

#include <string>

#include "dsn/report.h"

namespace sidegate::dsn {

const char* word(Action action);                            // RFC 3464 section 2.3.3
std::string status_code(const RecipientReport& recipient);  // "5.1.1"; one that fits the action where none is known
std::string status_part(const Report& report, bool utf8);   // the part's content, CRLF at its end

}  // namespace sidegate::dsn
