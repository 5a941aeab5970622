// The part of a report that people read.
#pragma once

#include <string>

#include "dsn/report.h"

namespace sidegate::dsn {

std::string subject(const Report& report);
std::string text_part(const Report& report);  // UTF-8, lines of at most 72 columns where words allow

}  // namespace sidegate::dsn
