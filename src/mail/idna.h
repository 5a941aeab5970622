// Internationalised domain names: the form in which DNS knows them (RFC 5891). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sidegate::mail {

// "例え.jp" to "xn--r8jz45g.jp", mapped as UTS 46 has it (width, case). ASCII stays as it is, whatever it is.
// What comes out holds letters, digits, "-", "_" and "." only: a "＠" or "＞" of full width never becomes one of a
// command. kBadInput: no domain can be called so.
Result<std::string> to_ascii(std::string_view domain);

// As domains are compared: both spellings are one domain (RFC 5890 section 2.3.2.4). Lower case; what has no ASCII form
// stays in its own.
std::string dns_form(std::string_view domain);
bool same_domain(std::string_view a, std::string_view b);
bool is_within(std::string_view domain, std::string_view parent);  // that one, or below it
std::string dns_form_of_address(std::string_view address);         // its domain in that form; all of it in lower case

}  // namespace sidegate::mail
