// What others wrote, in a reply of ours.
#pragma once

#include <string>
#include <string_view>

namespace sidegate::mail {

// One line of printable ASCII (RFC 5321 section 4.2), at most `limit` octets.
std::string reply_words(std::string_view text, std::size_t limit);

}  // namespace sidegate::mail
