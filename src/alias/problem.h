// What is wrong in a file of ours, where, and what to do about it.
#pragma once

#include <string>
#include <vector>

namespace sidegate::alias {

struct Place {
  std::string file;   // empty: no file says so
  unsigned line = 0;  // 0: the file as a whole
  std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
  bool operator==(const Place&) const = default;
};

enum class Severity : unsigned char { kWarning, kError };

struct Problem {
  Severity severity = Severity::kError;
  Place at;
  std::string what;
  std::string next;          // the step that helps, often the line to write
  std::string text() const;  // "FILE:LINE: WHAT (NEXT)"
  bool operator==(const Problem&) const = default;
};
using Problems = std::vector<Problem>;

bool has_error(const Problems& problems);

}  // namespace sidegate::alias
