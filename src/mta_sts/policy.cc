#include "mta_sts/policy.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "mta_sts/record.h"

namespace sidegate::mta_sts {
namespace {

constexpr std::size_t kLongestDigits = 10;

// RFC 5321 section 4.1.2 Domain, in ASCII: what an MX may be called, and no address.
bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  bool letters = false;
  for (std::string_view label : split(text, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-') return false;
      letters |= !is_digit(c);
    }
  }
  return letters;
}

// Visible characters with single or several spaces between them, ASCII or UTF-8.
bool is_field_value(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' && std::ranges::none_of(text, is_control) &&
         is_utf8(text);
}

struct Reading {
  bool version = false;
  std::optional<Mode> mode;
  std::optional<std::chrono::seconds> max_age;
  std::vector<std::string> mx;

  Status field(std::string_view name, std::string_view value);
  Status take_version(std::string_view value);
  Status take_mode(std::string_view value);
  Status take_max_age(std::string_view value);
  Status take_mx(std::string_view value);
};

// RFC 8461 section 3.2: of a field that may not be repeated, all but the first are ignored.
Status Reading::take_version(std::string_view value) {
  if (version) return {};
  if (value != "STSv1") return bad("the version is not STSv1: " + printable(value, 100));
  version = true;
  return {};
}

Status Reading::take_mode(std::string_view value) {
  if (mode) return {};
  for (Mode one : {Mode::kNone, Mode::kTesting, Mode::kEnforce}) {
    if (value == name(one)) mode = one;
  }
  return mode ? Status{} : bad("the mode is not enforce, testing or none: " + printable(value, 100));
}

Status Reading::take_max_age(std::string_view value) {
  if (max_age) return {};
  const auto number = value.size() <= kLongestDigits ? parse_number(value) : std::nullopt;
  if (!number) return bad("max_age is no number of seconds: " + printable(value, 100));
  max_age = std::min(std::chrono::seconds(*number), kLongestAge);
  return {};
}

Status Reading::take_mx(std::string_view value) {
  // RFC 8461 section 4.1: a wildcard stands for the left-most label alone.
  const std::string_view host = value.starts_with("*.") ? value.substr(2) : value;
  if (!is_host(host)) return bad("an mx is no host name: " + printable(value, 300));
  std::string pattern = lower(value);
  if (std::ranges::find(mx, pattern) == mx.end()) mx.push_back(std::move(pattern));
  return {};
}

Status Reading::field(std::string_view name, std::string_view value) {
  if (name == "version") return take_version(value);
  if (name == "mode") return take_mode(value);
  if (name == "max_age") return take_max_age(value);
  if (name == "mx") return take_mx(value);
  if (!is_extension_name(name) || !is_field_value(value)) return bad("a line is malformed: " + printable(name, 100));
  return {};  // unknown: ignored
}

Status read_line(Reading& reading, std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  // Not in the grammar, but common at the end of a file, and it says nothing.
  if (line.empty()) return {};
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a line has no \":\": " + printable(line, 100));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  return reading.field(line.substr(0, colon), value);
}

}  // namespace

const char* name(Mode mode) {
  constexpr const char* kNames[] = {"none", "testing", "enforce"};
  return kNames[static_cast<unsigned>(mode)];
}

Result<Policy> parse_policy(std::string_view text) {
  if (text.size() > kLargestPolicy) return bad("the policy is larger than 64 KiB");
  Reading reading;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (Status read = read_line(reading, line); !read) return std::unexpected(read.error());
  }
  if (!reading.version) return bad("the policy has no version");
  if (!reading.mode) return bad("the policy has no mode");
  if (!reading.max_age) return bad("the policy has no max_age");
  if (reading.mx.empty() && *reading.mode != Mode::kNone) return bad("the policy names no mx");
  return Policy{*reading.mode, *reading.max_age, std::move(reading.mx)};
}

bool matches_pattern(std::string_view pattern, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!pattern.starts_with("*.")) return iequals(pattern, host);
  const std::size_t dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && iequals(host.substr(dot + 1), pattern.substr(2));
}

bool matches(const Policy& policy, std::string_view host) {
  return std::ranges::any_of(policy.mx, [&](const std::string& pattern) { return matches_pattern(pattern, host); });
}

std::vector<std::string> lines_of(const Policy& policy) {
  std::vector<std::string> lines = {"version: STSv1", fmt::format("mode: {}", name(policy.mode))};
  for (const std::string& pattern : policy.mx) lines.push_back("mx: " + pattern);
  lines.push_back(fmt::format("max_age: {}", policy.max_age.count()));
  return lines;
}

}  // namespace sidegate::mta_sts
