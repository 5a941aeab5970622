#include "mail/reply_words.h"

#include "base/text.h"

namespace sidegate::mail {

std::string reply_words(std::string_view text, std::size_t limit) {
  std::string out = printable(text, limit);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return out;
}

}  // namespace sidegate::mail
