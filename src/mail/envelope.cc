#include "mail/envelope.h"

namespace sidegate::mail {

// RFC 3461 section 4.1: NEVER stands alone.
std::string notify_words(const Notify& notify) {
  if (notify.never) return "NEVER";
  std::string words;
  auto add = [&words](bool said, const char* word) {
    if (said) words.append(words.empty() ? "" : ",").append(word);
  };
  add(notify.success, "SUCCESS");
  add(notify.failure, "FAILURE");
  add(notify.delay, "DELAY");
  return words;
}

}  // namespace sidegate::mail
