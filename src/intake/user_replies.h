// What a user is told who may not do something: which rule, whose, and when or how it goes on. Pure.
#pragma once

#include <string>
#include <string_view>

#include "mail/reply.h"
#include "quota/row.h"

namespace sidegate::intake {

mail::Reply over_limit(const std::string& user, const quota::Over& over);
mail::Reply is_suspended(const std::string& user, const quota::Stop& stop);
mail::Reply too_many_connections(const std::string& user, bool program);
// field: "From", "Sender", or empty for the sender of the envelope; address: empty where nobody can read it.
mail::Reply not_own_address(const std::string& user, std::string_view field, std::string_view address);

std::string span_word(quota::Span span);                       // "minute"
std::string limit_words(const quota::Limit& limit);            // "100 messages an hour"
std::string time_words(std::chrono::nanoseconds for_so_long);  // "40 seconds", "12 minutes", "3 hours"

}  // namespace sidegate::intake
