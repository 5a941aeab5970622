#include "smtp/client_dots.h"

#include <cstring>

namespace sidegate::smtp {

void DotStuffing::append(std::string& out, std::string_view piece) {
  if (piece.empty()) return;
  // Most dots are inside lines and base64 has none at all: looking for dots is faster than looking for lines.
  std::size_t copied = 0;
  const char* at = piece.data();
  const char* end = at + piece.size();
  while ((at = static_cast<const char*>(std::memchr(at, '.', static_cast<std::size_t>(end - at)))) != nullptr) {
    auto index = static_cast<std::size_t>(at - piece.data());
    bool begins_line = index == 0 ? line_start_ : piece[index - 1] == '\n';
    if (begins_line) {
      out.append(piece, copied, index - copied);
      out.push_back('.');  // RFC 5321 section 4.5.2: one more dot at the beginning of the line
      copied = index;
    }
    if (++at == end) break;
  }
  out.append(piece, copied);
  bool cr_before_last = piece.size() > 1 ? piece[piece.size() - 2] == '\r' : after_cr_;
  line_start_ = piece.back() == '\n';
  whole_lines_ = line_start_ && cr_before_last;
  after_cr_ = piece.back() == '\r';
}

std::string_view DotStuffing::end() const {
  return whole_lines_ ? ".\r\n" : "\r\n.\r\n";
}

}  // namespace sidegate::smtp
