#include "alias/target.h"
#include "base/text.h"

namespace sidegate::alias {

std::vector<LogicalLine> logical_lines(std::string_view text) {
  std::vector<LogicalLine> out;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark that an editor left
  unsigned number = 0, pending = 0;                             // pending: lines since the last one that counts
  while (!text.empty()) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    ++pending;
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::string_view words = trim(line);
    if (words.empty() || words.front() == '#') continue;
    bool goes_on = line.front() == ' ' || line.front() == '\t';
    if (goes_on && !out.empty()) {
      out.back().text.append(pending, '\n').append(line);
    } else {
      out.push_back({std::string(line), number, goes_on});
    }
    pending = 0;
  }
  return out;
}

std::size_t quoted_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return 0;
}

}  // namespace sidegate::alias
