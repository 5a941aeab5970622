// A user's name with a tag: "taro+shop".
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sidegate::mail {

// "user+tag" -> where the tag began; nothing when there is no tag. "owner-x", "x-request" and names that begin with the
// delimiter have none.
std::optional<std::size_t> tag_begins(std::string_view name, std::string_view delimiters);

}  // namespace sidegate::mail
