// Steps by which an address becomes another, for people and for programs.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "cli/terminal.h"
#include "rewrite/rules.h"

namespace sidegate::cli {

// "  envelope: ann@old.example becomes ann@new.example  (canonical: ...)", a line each.
void print_steps(const Terminal& t, const char* subject, const rewrite::Steps& steps);
boost::json::array as_json(const rewrite::Steps& steps);

}  // namespace sidegate::cli
