// What stands before a message where it ends, and what a command is told about it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/records.h"

namespace sidegate::deliver {

// "Return-Path: <...>", "X-Original-To: ...", "Delivered-To: ...", each with LF (RFC 5321 section 4.4; the others as
// Postfix has them).
std::string final_fields(const queue::Message& message, const mail::Recipient& recipient);
// "From sender  Sat Nov 21 22:25:12 2026" with LF (RFC 4155, in Postfix's form: local time).
std::string from_line(const queue::Message& message, const mail::Recipient& recipient, WallTime now);
// The message has been delivered to this very recipient before: it goes round.
bool went_round(std::string_view header, const mail::Recipient& recipient);
// SENDER, RECIPIENT, ORIGINAL_RECIPIENT, LOCAL, DOMAIN, EXTENSION, CLIENT_*, SASL_USERNAME: as Postfix exports them.
std::vector<std::pair<std::string, std::string>> command_environment(const queue::Message& message,
                                                                     const mail::Recipient& recipient);

}  // namespace sidegate::deliver
