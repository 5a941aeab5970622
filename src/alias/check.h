// What `sidegate aliases check` and `sidegate config check` find: every line tried, nothing delivered.
#pragma once

#include <string>
#include <vector>

#include "alias/expander.h"

namespace sidegate::alias {

struct FileCount {
  std::string path;
  bool is_virtual = false;
  std::size_t entries = 0;
  bool read = true;  // false: it could not be
};

struct Checked {
  std::vector<FileCount> files;
  std::size_t includes = 0;  // :include: files met
  Problems problems;         // each once, in the order of the files
};

// All that is wrong in the files, and where their lines lead: loops, nobody, files that cannot be included.
Checked check(const Settings& settings, const Tables& tables, Sources& sources);

// Mail for root and postmaster must lead to somebody.
Problems check_duty(const Settings& settings, const Tables& tables, Sources& sources);

}  // namespace sidegate::alias
