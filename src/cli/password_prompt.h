#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"

namespace sidegate::cli {

// Asked without echo, one after the other; empty where standard input is no terminal.
std::vector<std::string> ask_passwords(const Terminal& terminal, const std::vector<std::string>& questions);
std::string ask_password(const Terminal& terminal, const std::string& question);

}  // namespace sidegate::cli
