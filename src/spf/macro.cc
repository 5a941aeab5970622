#include "spf/macro.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace sidegate::spf {
namespace {

constexpr std::size_t kLongestName = 253;
constexpr std::string_view kDelimiters = ".-+,/_=";

struct Macro {
  char letter = 0;  // lower case
  bool escaped = false;
  std::size_t keep = 0;  // labels from the right; 0: all
  bool reversed = false;
  std::string_view delimiters = ".";
};

// `text` begins behind "%{"; on success what is behind "}" is left in it.
std::optional<Macro> read_macro(std::string_view& text) {
  const std::size_t end = text.find('}');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  std::string_view inside = text.substr(0, end);
  Macro m;
  m.letter = ascii_lower(inside.front());
  m.escaped = m.letter != inside.front();
  // c, r and t are for explanations alone (section 7.2).
  if (std::string_view("slodiphv").find(m.letter) == std::string_view::npos) return std::nullopt;
  inside.remove_prefix(1);
  std::size_t digits = 0;
  while (digits < inside.size() && is_digit(inside[digits])) ++digits;
  if (digits > 0) {
    auto number = parse_number(inside.substr(0, digits));
    if (!number || *number == 0) return std::nullopt;
    m.keep = static_cast<std::size_t>(std::min<std::uint64_t>(*number, 128));
    inside.remove_prefix(digits);
  }
  if (!inside.empty() && ascii_lower(inside.front()) == 'r') {
    m.reversed = true;
    inside.remove_prefix(1);
  }
  if (inside.find_first_not_of(kDelimiters) != std::string_view::npos) return std::nullopt;
  if (!inside.empty()) m.delimiters = inside;
  text.remove_prefix(end + 1);
  return m;
}

// Walks a macro-string; `out` gets each piece of text and each macro. False: malformed.
template <typename Text, typename Use>
bool walk(std::string_view text, Text literal, Use use) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '%') {
      if (static_cast<unsigned char>(c) < 0x21 || static_cast<unsigned char>(c) > 0x7e) return false;
      literal(std::string(1, c));
      continue;
    }
    if (text.empty()) return false;
    const char kind = text.front();
    text.remove_prefix(1);
    if (kind == '%') {
      literal("%");
    } else if (kind == '_') {
      literal(" ");
    } else if (kind == '-') {
      literal("%20");
    } else if (kind == '{') {
      auto macro = read_macro(text);
      if (!macro) return false;
      use(*macro);
    } else {
      return false;
    }
  }
  return true;
}

// Section 7.3: IPv4 in dots, IPv6 as nibbles in dots.
std::string dotted(const std::string& address) {
  if (address.find(':') == std::string::npos) return address;
  std::array<unsigned char, 16> octets{};
  if (inet_pton(AF_INET6, address.c_str(), octets.data()) != 1) return address;
  std::string out;
  for (unsigned char octet : octets) {
    for (int nibble : {octet >> 4, octet & 15})
      out += (out.empty() ? "" : ".") + std::string(1, "0123456789abcdef"[nibble]);
  }
  return out;
}

std::string value_of(const Macro& macro, const MacroWords& words) {
  const std::size_t at = words.sender.rfind('@');
  switch (macro.letter) {
    case 's':
      return words.sender;
    case 'l':
      return words.sender.substr(0, at);
    case 'o':
      return at == std::string::npos ? words.domain : words.sender.substr(at + 1);
    case 'd':
      return words.domain;
    case 'i':
      return dotted(words.address);
    case 'v':
      return words.address.find(':') == std::string::npos ? "in-addr" : "ip6";
    case 'h':
      return words.helo;
    default:
      return "unknown";  // %{p}: "SHOULD NOT be used"; what section 7.3 gives where no name is validated
  }
}

std::string transformed(const Macro& macro, const std::string& value) {
  std::vector<std::string> parts(1);
  for (char c : value) {
    if (macro.delimiters.find(c) != std::string_view::npos) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (macro.reversed) std::ranges::reverse(parts);
  const std::size_t skip = macro.keep == 0 || macro.keep >= parts.size() ? 0 : parts.size() - macro.keep;
  std::string out;
  for (std::size_t i = skip; i < parts.size(); ++i) out += (i > skip ? "." : "") + parts[i];
  if (!macro.escaped) return out;
  std::string safe;  // RFC 3986 section 2.3
  for (char c : out) {
    if (is_alpha(c) || is_digit(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
      safe += c;
    } else {
      safe += '%' + upper(hex(std::string(1, c)));
    }
  }
  return safe;
}

}  // namespace

bool is_macro_string(std::string_view text) {
  return walk(text, [](const std::string&) {}, [](const Macro&) {});
}

bool is_domain_spec(std::string_view text) {
  bool ends_in_macro = false;
  const bool good =
      walk(text, [&](const std::string&) { ends_in_macro = false; }, [&](const Macro&) { ends_in_macro = true; });
  if (!good || text.empty()) return false;
  if (ends_in_macro) return true;
  // "%%", "%_" and "%-" are macro-expand in the grammar, and no label ends in what they stand for: not taken here.
  if (text.ends_with('.')) text.remove_suffix(1);
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view top = text.substr(dot + 1);
  // toplabel: letters, digits and inner hyphens, not digits alone
  const bool ldh = std::ranges::all_of(top, [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; });
  return !top.empty() && ldh && top.front() != '-' && top.back() != '-' && !std::ranges::all_of(top, is_digit);
}

std::optional<std::string> expand(std::string_view text, const MacroWords& words) {
  std::string out;
  const bool good = walk(
      text, [&](const std::string& literal) { out += literal; },
      [&](const Macro& macro) { out += transformed(macro, value_of(macro, words)); });
  if (!good) return std::nullopt;
  if (out.ends_with('.')) out.pop_back();
  while (out.size() > kLongestName) {
    const std::size_t dot = out.find('.');
    if (dot == std::string::npos) break;
    out.erase(0, dot + 1);
  }
  return out;
}

}  // namespace sidegate::spf
