#pragma once

namespace sidegate::mail {

namespace detail {
// The next field of `block` at `at`; false at the end or at a line that is no field. Moves `at` behind its CRLF.
bool next_field(std::string_view block, std::size_t& at, Field& field);
}  // namespace detail

template <typename Fn>
void for_each_field(std::string_view block, Fn fn) {
  Field field;
  for (std::size_t at = 0; detail::next_field(block, at, field);) {
    if (!fn(field)) return;
  }
}

}  // namespace sidegate::mail
