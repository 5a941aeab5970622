// The rules by which replies are read: data. Internal to this room.
#pragma once

#include <cstdint>
#include <span>

#include "provider/meanings.h"

namespace sidegate::provider {

// A rule fits when all that it names fits. Empty or 0: not asked.
struct Rule {
  std::uint16_t stages;  // any of these
  const char* code;      // "550", "4", "5": a prefix of the basic code
  const char* status;    // "5.7.139", "x.7.139" (any class), "5.7.": ending in a dot a prefix; alternatives with '|'
  const char* words;     // lower case; alternatives with '|', within one '*' stands for anything
  Meaning meaning;
};
std::span<const Rule> rules();

bool fits(const Rule& rule, Stage stage, int code, std::string_view status, std::string_view lower_text);
// One pattern with '*'; searched anywhere in the text. Exposed for its test.
bool contains_pattern(std::string_view text, std::string_view pattern);

}  // namespace sidegate::provider
