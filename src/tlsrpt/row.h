// One domain's day on disk (doc/queue.md, "Notes"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tlsrpt/counters.h"

namespace sidegate::tlsrpt {

std::string encode(const Day& day);               // without date and domain, which are its key
std::optional<Day> decode(std::string_view row);  // nullopt: it is none, or larger than one may be

}  // namespace sidegate::tlsrpt
