// What a sender can do about a failure: one sentence where there is something to do.
#pragma once

#include <string_view>

#include "dsn/report.h"

namespace sidegate::dsn {

std::string_view advice(Action action, const mail::EnhancedCode& status);  // empty: nothing to say

}  // namespace sidegate::dsn
