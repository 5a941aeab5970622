#include "mail/tag.h"

#include "base/text.h"

namespace sidegate::mail {

std::optional<std::size_t> tag_begins(std::string_view name, std::string_view delimiters) {
  if (delimiters.empty()) return std::nullopt;
  std::size_t at = name.find_first_of(delimiters);
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  if (name[at] == '-' && (istarts_with(name, "owner-") || iequals(name, "mailer-daemon") ||
                          (name.size() > 8 && iequals(name.substr(name.size() - 8), "-request")))) {
    return std::nullopt;
  }
  return at;
}

}  // namespace sidegate::mail
