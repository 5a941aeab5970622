// Macros of SPF (RFC 7208 section 7). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sidegate::spf {

struct MacroWords {
  std::string sender;   // %{s}: always with an @
  std::string domain;   // %{d}
  std::string address;  // %{i}: numeric
  std::string helo;     // %{h}
};

// Whether it may stand as a domain: macros well formed, and an end that can be a name. RFC 7208 section 7.1.
bool is_domain_spec(std::string_view text);
bool is_macro_string(std::string_view text);
// nullopt: malformed. Too long a name loses labels at its left end (section 7.3).
std::optional<std::string> expand(std::string_view text, const MacroWords& words);

}  // namespace sidegate::spf
