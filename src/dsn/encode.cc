#include "dsn/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace sidegate::dsn {
namespace {

constexpr std::size_t kFoldAt = 76;        // columns, where white space allows
constexpr std::size_t kLongestWord = 900;  // RFC 5322 section 2.1.1: a line must not be longer than 998
constexpr std::size_t kTextColumns = 72;

bool is_high(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

std::optional<unsigned> hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = ascii_lower(c);
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

// The next word of `text`, at most kLongestWord octets of it and no half character.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::size_t length = std::min(text.find(' '), text.size());
  if (length > kLongestWord) {
    length = kLongestWord;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    if (length == 0) length = kLongestWord;
  }
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
            static_cast<char>(0x80 | (c & 0x3f))};
  } else {
    out += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
            static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
  }
}

// The hex digits of "\x{HEX}" at the start of `text`, which is moved behind it.
std::optional<std::uint32_t> take_embedded(std::string_view& text) {
  if (!text.starts_with("\\x{")) return std::nullopt;
  const std::size_t end = text.find('}');
  if (end == text.npos || end < 5 || end > 9) return std::nullopt;
  std::uint32_t value = 0;
  for (char c : text.substr(3, end - 3)) {
    const auto digit = hex_digit(c);
    if (!digit) return std::nullopt;
    value = value * 16 + *digit;
  }
  if (value < 0x20 || (value >= 0x7f && value < 0xa0) || value > 0x10ffff) return std::nullopt;
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string clean(std::string_view text, bool utf8, std::size_t limit) {
  const bool keep_high = utf8 && is_utf8(text);
  std::string out;
  out.reserve(std::min(text.size(), limit));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool c1 = keep_high && c == '\xc2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (c == '\t') {
      out += ' ';
    } else if (is_control(c) || c1 || (is_high(c) && !keep_high)) {
      out += '?';
      i += c1;
    } else {
      out += c;
    }
  }
  if (out.size() <= limit) return out;
  while (limit > 0 && (static_cast<unsigned char>(out[limit]) & 0xc0) == 0x80) --limit;
  out.resize(limit);
  return out + "...";
}

// White space stays as it is (it may stand in a quoted local part): a fold goes before it.
std::string field(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}:", name);
  std::size_t column = out.size();
  value = trim(value);
  for (bool first = true; !value.empty(); first = false) {
    const std::size_t spaces = value.find_first_not_of(' ');
    std::string_view rest = value.substr(spaces);
    const std::string_view word = take_word(rest);
    const std::string_view before = spaces == 0 ? std::string_view(" ") : value.substr(0, spaces);
    // The first word stays on the name's line: a line of white space alone would be lost on the way.
    if (!first && column + before.size() + word.size() > kFoldAt) {
      out += "\r\n";
      column = 0;
    }
    out += before;
    out += word;
    column += before.size() + word.size();
    value = rest;
  }
  return out + "\r\n";
}

std::string wrap(std::string_view words, std::string_view indent) {
  std::string out;
  std::size_t column = 0;
  for (std::string_view word = take_word(words); !word.empty(); word = take_word(words)) {
    if (column == 0) {
      out += indent;
      column = indent.size();
    } else if (column + 1 + word.size() > kTextColumns) {
      out += "\r\n";
      out += indent;
      column = indent.size();
    } else {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out.empty() ? out : out + "\r\n";
}

std::string xtext_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '+') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::string(text);
    const auto high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (!high || !low) return std::string(text);
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  const bool plain = std::ranges::none_of(out, [](char c) { return is_control(c) || is_high(c); });
  return plain ? out : std::string(text);
}

std::string utf8_address_decoded(std::string_view text) {
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    if (const auto c = take_embedded(rest)) {
      append_utf8(out, *c);
    } else {
      out += rest.front();
      rest.remove_prefix(1);
    }
  }
  return is_utf8(out) ? out : std::string(text);
}

std::string quoted_printable(std::string_view text) {
  std::string out;
  std::size_t column = 0;
  const auto put = [&](std::string_view piece) {
    if (column + piece.size() > 75) {  // RFC 2045 section 6.7 rule 5: 76 with the "=" of the soft break
      out += "=\r\n";
      column = 0;
    }
    out += piece;
    column += piece.size();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (text.substr(i).starts_with("\r\n")) {
      out += "\r\n";
      column = 0;
      ++i;
      continue;
    }
    const bool before_end = text.substr(i + 1).starts_with("\r\n");
    const bool plain = c > 0x20 && c < 0x7f && c != '=';
    if (plain || (c == ' ' && !before_end)) {
      put({&c, 1});
    } else {
      put(fmt::format("={:02X}", static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace sidegate::dsn
