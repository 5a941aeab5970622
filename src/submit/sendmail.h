// `sendmail`: one run of the program.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "submit/arguments.h"

namespace sidegate::submit {

// What is not ours to do: `mailq`, `newaliases`, -q, and a dialogue while the server is down. Returns the exit code.
using Other = std::function<int(const Arguments& arguments)>;

// name: what the program was called; arguments without it. Returns an exit code of sysexits(3).
int run(std::string_view name, const std::vector<std::string>& arguments, const Other& other);

}  // namespace sidegate::submit
