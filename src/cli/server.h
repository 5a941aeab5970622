// From a command to the running server.
#pragma once

#include <functional>
#include <string>

#include "cli/commands.h"

namespace sidegate::cli {

// The control socket's path: --socket, else the configuration's. nullopt: the configuration was wrong, and that was
// said.
std::optional<std::string> control_path(const Context& context);

// Asks the server; kNotFound with "no server answers": it is not running. An error of kind kInternal with empty text:
// the configuration was wrong, and that was said.
Result<std::string> ask_server(const Context& context, const admin::Request& request,
                               const std::function<bool(std::string)>& on_row);

// The error with its next step; the exit code.
int report_server(const Context& context, const Error& error);
bool server_is_down(const Error& error);

}  // namespace sidegate::cli
