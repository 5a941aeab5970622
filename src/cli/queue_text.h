// Queue rows for people: JSON rows of the server in, lines out. Pure.
#pragma once

#include <string>
#include <vector>

#include "admin/protocol.h"
#include "base/clock.h"
#include "base/queue_id.h"
#include "cli/terminal.h"

namespace sidegate::cli {

std::string list_heading(std::size_t width);
std::string list_text(const Terminal& terminal, const std::string& json, WallTime now);
std::string show_text(const Terminal& terminal, const std::string& json);
std::string action_text(const Terminal& terminal, admin::Verb verb, const std::string& json);
std::string summary_text(admin::Verb verb, const std::string& json);
std::string result_of(const std::string& json);                // "done", "not_found", ...
std::vector<std::string> missing_of(const std::string& json);  // of a list's end: ids that are not in the queue

// The server's advice ("relay-needed", "no-way-out") as what it means and the lines to write; empty: another, or none.
std::string relay_needed_text(std::string_view advice);

}  // namespace sidegate::cli
