// TOML text into a Tree: blocks, keys and the lines where they stand. Syntax errors name the line.
#pragma once

#include <string_view>

#include "config/value.h"

namespace sidegate::config {

// Adds to `tree` what `text` holds; what is wrong goes to `problems`. Never throws; bounded by the size of the text.
bool read_toml(std::string_view text, const std::string& file, Tree& tree, Problems& problems);

}  // namespace sidegate::config
