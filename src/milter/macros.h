// Macros: what sendmail calls the values that a filter may ask for at each stage, by name. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "milter/protocol.h"

namespace sidegate::milter {

// By name without braces: "i", "client_addr". What has no value (no entry) is not sent.
using Macros = std::map<std::string, std::string, std::less<>>;

// The names that are sent at a stage where the filter did not list its own: those of Postfix, and sendmail's.
const std::vector<std::string>& default_macros(Stage stage);

// "j {client_addr},i" to the names without braces.
std::vector<std::string> parse_macro_names(std::string_view list);

// The packet that precedes `command`; empty where there is nothing to say. Names longer than one character stand in
// braces on the wire.
std::string encode_macros(Command command, const std::vector<std::string>& names, const Macros& values);

}  // namespace sidegate::milter
