#include "alias/problem.h"

#include <algorithm>

namespace sidegate::alias {

std::string Problem::text() const {
  std::string out = at.text();
  if (!out.empty()) out += ": ";
  out += what;
  if (!next.empty()) out += " (" + next + ")";
  return out;
}

bool has_error(const Problems& problems) {
  return std::ranges::any_of(problems, [](const Problem& p) { return p.severity == Severity::kError; });
}

}  // namespace sidegate::alias
