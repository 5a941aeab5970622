// A finding for people: one line, and what is to be pasted below it.
#pragma once

#include <string>

#include "cli/terminal.h"
#include "doctor/finding.h"

namespace sidegate::cli {

std::string finding_text(const Terminal& terminal, const doctor::Finding& finding);

}  // namespace sidegate::cli
