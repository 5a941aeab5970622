// Text and bytes: ASCII only where a protocol says ASCII; the locale is never asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char ascii_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string lower(std::string_view text);
std::string upper(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
std::string_view trim(std::string_view text);                         // spaces, tabs, CR, LF at both ends
std::vector<std::string_view> split(std::string_view text, char at);  // keeps empty parts
bool is_ascii(std::string_view text);
bool is_utf8(std::string_view text);  // well-formed, no surrogates, no overlong forms (RFC 3629)
std::size_t utf8_sequence(
    std::string_view text);  // octets of the well-formed character it begins with; 0: malformed or empty

// One line that is safe in a log or a terminal: control characters, DEL, C1 controls and malformed UTF-8 become \xHH, a
// backslash is doubled; cut to `limit` octets with "..." at the end.
std::string printable(std::string_view text, std::size_t limit = 1000);

std::string base64(std::string_view bytes);
std::optional<std::string> unbase64(std::string_view text);  // strict: padding required, no white space
std::string hex(std::string_view bytes);                     // lower case

std::optional<std::uint64_t> parse_number(std::string_view text);  // decimal digits only, no overflow

// The nearest of `words` to `word` by edit distance, for "did you mean"; empty when none is near (distance > 1/3).
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace sidegate
