// For tests and fuzz targets: what DATA and BDAT content means, said as plainly as possible, over the whole input at
// once. The readers must agree with it at every split.
#pragma once

#include <string>
#include <string_view>

#include "smtp/content_check.h"

namespace sidegate::smtp {

struct ModelResult {
  bool ended = false;
  std::size_t consumed = 0;
  std::string content;
};

// RFC 5321 section 4.5.2: the message ends at the first CRLF.CRLF, where the CRLF of DATA counts.
inline ModelResult model_data(std::string_view input) {
  std::string all = "\r\n" + std::string(input);
  std::size_t end = all.find("\r\n.\r\n");
  ModelResult result;
  result.ended = end != std::string::npos;
  result.consumed = result.ended ? end + 3 : input.size();
  std::string lines = result.ended ? all.substr(2, end) : all.substr(2);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    bool starts_line = i == 0 || (i >= 2 && lines[i - 2] == '\r' && lines[i - 1] == '\n');
    if (!(starts_line && lines[i] == '.')) result.content += lines[i];
  }
  return result;
}

// The first fault of a whole content.
inline ContentFault model_fault(std::string_view content, std::size_t max_line) {
  std::size_t line = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    char c = content[i];
    if (c == '\r' && i + 1 < content.size() && content[i + 1] == '\n') {
      line = 0;
      ++i;
      continue;
    }
    if (c == '\r') return ContentFault::kBareCr;
    if (c == '\n') return ContentFault::kBareLf;
    if (c == 0) return ContentFault::kNul;
    if (++line + 2 > max_line) return ContentFault::kLineTooLong;
  }
  return ContentFault::kNone;
}

inline std::size_t model_longest_line(std::string_view content) {
  std::size_t longest = 0;
  while (!content.empty()) {
    std::size_t end = content.find("\r\n");
    std::size_t length = end == std::string_view::npos ? content.size() : end;
    if (length > longest) longest = length;
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 2);
  }
  return longest;
}

}  // namespace sidegate::smtp
