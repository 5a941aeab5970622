// What a [[route]] that refuses mail says: "we do not write there", or with its codes, "550 5.1.2 no such place". Pure.
#pragma once

#include <string>
#include <string_view>

#include "mail/reply.h"

namespace sidegate::route {

// The text of `action = "fail"` as a reply: 550 5.7.1 (RFC 3463: delivery not authorised) where it names no codes.
// Fails where it could not be said in one reply line of any session: octets that are no printable ASCII, more than 480
// of them, or codes of another class (what fails for good is 5yz).
Result<mail::Reply> read_refusal(std::string_view text);

}  // namespace sidegate::route
