#include "config/codec.h"

#include "base/i18n.h"
#include "base/text.h"
#include "config/settings.h"

namespace sidegate::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kTimeUnits[] = {{"w", 7 * 86'400'000ull}, {"d", 86'400'000}, {"h", 3'600'000},
                               {"min", 60'000},          {"s", 1000},       {"ms", 1}};
constexpr Unit kMoreTimeUnits[] = {{"m", 60'000}, {"sec", 1000}, {"day", 86'400'000}, {"days", 86'400'000}};
constexpr Unit kSizeUnits[] = {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}};
constexpr Unit kMoreSizeUnits[] = {
    {"", 1},           {"B", 1},      {"K", 1ull << 10}, {"M", 1ull << 20},     {"G", 1ull << 30},
    {"T", 1ull << 40}, {"KB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}};
constexpr std::pair<std::string_view, std::uint16_t> kPorts[] = {
    {"smtp", 25}, {"submission", 587}, {"submissions", 465}, {"smtps", 465}};

template <std::size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  for (const Unit& unit : units) {
    if (iequals(unit.name, name)) return &unit;
  }
  return nullptr;
}

// Takes digits off the front.
std::string_view take_number(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  std::string_view number = text.substr(0, n);
  text.remove_prefix(n);
  return number;
}

std::string_view take_word(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_alpha(text[n])) ++n;
  std::string_view word = text.substr(0, n);
  text.remove_prefix(n);
  return word;
}

template <std::size_t N>
std::string in_units(std::uint64_t value, const Unit (&units)[N]) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return fmt::format("{}", value);
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, is_control);
}

// The text of a value that must be text.
Result<std::string> text_of(const Value& value) {
  if (value.kind != Value::Kind::kString) return bad(tr("must be text in quotes, not {}", value.kind_name()));
  // Neither a peer's dialogue nor a log line must ever be continued by a setting.
  if (has_control(value.string)) return bad(_("must not hold control characters"));
  return value.string;
}

Status set_string(void* member, const Value& value, const Range&) {
  auto text = text_of(value);
  if (!text) return std::unexpected(text.error());
  *static_cast<std::string*>(member) = std::move(*text);
  return {};
}

Status set_list(void* member, const Value& value, const Range&) {
  std::vector<std::string> list;
  if (value.plain) {  // environment: parts with commas between
    for (std::string_view part : split(value.string, ',')) {
      if (!trim(part).empty()) list.emplace_back(trim(part));
    }
  } else if (value.kind == Value::Kind::kList) {
    for (const Value& item : value.list) {
      auto text = text_of(item);
      if (!text) return std::unexpected(text.error());
      list.push_back(std::move(*text));
    }
  } else {
    return bad(tr("must be a list, [\"...\", \"...\"], not {}", value.kind_name()));
  }
  if (std::ranges::any_of(list, has_control)) return bad(_("must not hold control characters"));
  *static_cast<std::vector<std::string>*>(member) = std::move(list);
  return {};
}

// { certificate = "...", key = "..." }, or the certificate alone.
Result<tls::Identity> identity_of(const Value& value) {
  tls::Identity identity;
  if (value.kind == Value::Kind::kString) {
    auto text = text_of(value);
    if (!text) return std::unexpected(text.error());
    identity.cert_file = *text;
  }
  if (value.kind != Value::Kind::kString && value.kind != Value::Kind::kTable)
    return bad(tr("must be {{ certificate = \"...\", key = \"...\" }}, not {}", value.kind_name()));
  for (std::size_t i = 0; i < value.keys.size(); ++i) {
    auto text = text_of(value.list[i]);
    if (!text) return bad(value.keys[i] + ": " + text.error().text);
    if (value.keys[i] != "certificate" && value.keys[i] != "key")
      return bad(tr("{} is neither certificate nor key", quoted(printable(value.keys[i], 100))));
    (value.keys[i] == "key" ? identity.key_file : identity.cert_file) = *text;
  }
  for (const std::string* path : {&identity.cert_file, &identity.key_file}) {
    if (!path->empty() && !path->starts_with('/')) return bad(tr("{} is not an absolute path", quoted(*path)));
  }
  if (identity.cert_file.empty()) return bad(_("names no certificate"));
  return identity;
}

Status set_identities(void* member, const Value& value, const Range&) {
  std::vector<Value> given = value.list;
  if (value.plain) {  // environment: "CERTIFICATE:KEY,CERTIFICATE:KEY"
    for (std::string_view part : split(value.string, ',')) {
      const std::size_t colon = part.find(':');
      Value one;
      one.kind = Value::Kind::kTable;
      one.keys = {"certificate", "key"};
      one.list = {Value::from_text(trim(part.substr(0, colon))),
                  Value::from_text(colon == std::string_view::npos ? "" : trim(part.substr(colon + 1)))};
      if (!trim(part).empty()) given.push_back(std::move(one));
    }
  } else if (value.kind != Value::Kind::kList) {
    return bad(tr("must be a list, [{{ certificate = \"...\", key = \"...\" }}], not {}", value.kind_name()));
  }
  std::vector<tls::Identity> identities;
  for (const Value& one : given) {
    auto identity = identity_of(one);
    if (!identity) return std::unexpected(identity.error());
    identities.push_back(std::move(*identity));
  }
  *static_cast<std::vector<tls::Identity>*>(member) = std::move(identities);
  return {};
}

Result<bool> parse_bool(const Value& value) {
  if (value.kind == Value::Kind::kBool) return value.boolean;
  if (value.plain) {
    for (std::string_view word : {"true", "yes", "on", "1"}) {
      if (iequals(value.string, word)) return true;
    }
    for (std::string_view word : {"false", "no", "off", "0"}) {
      if (iequals(value.string, word)) return false;
    }
    return bad(tr("must be true or false, not {}", quoted(value.string)));
  }
  return bad(tr("must be true or false without quotes, not {}", value.kind_name()));
}

Status set_bool(void* member, const Value& value, const Range&) {
  auto b = parse_bool(value);
  if (!b) return std::unexpected(b.error());
  *static_cast<bool*>(member) = *b;
  return {};
}

// Parses with `parse`, checks the range (written in the same form), stores as T.
template <typename T, typename Parsed>
Status store_in_range(void* member, Result<Parsed> value, const Range& range, Result<Parsed> (*parse)(std::string_view),
                      std::string shown) {
  if (!value) return std::unexpected(value.error());
  bool low = !range.min.empty() && *value < *parse(range.min);
  bool high = !range.max.empty() && *value > *parse(range.max);
  if (low || high) {
    if (range.max.empty()) return bad(tr("{} is too small: at least {}", shown, range.min));
    return bad(tr("{} is not between {} and {}", shown, range.min.empty() ? "0" : range.min, range.max));
  }
  *static_cast<T*>(member) = static_cast<T>(*value);
  return {};
}

Result<std::uint64_t> parse_integer(std::string_view text) {
  auto n = parse_number(text);
  if (!n) return bad(tr("must be a whole number, not {}", quoted(text)));
  return *n;
}

Result<std::uint64_t> integer_of(const Value& value) {
  if (value.plain) return parse_integer(trim(value.string));
  if (value.kind == Value::Kind::kString) return bad(_("must be a whole number without quotes, not text"));
  if (value.kind != Value::Kind::kInteger) return bad(tr("must be a whole number, not {}", value.kind_name()));
  if (value.integer < 0) return bad(tr("{} is negative", value.integer));
  return static_cast<std::uint64_t>(value.integer);
}

template <typename T>
Status set_integer(void* member, const Value& value, const Range& range) {
  auto n = integer_of(value);
  constexpr std::uint64_t kMost = std::numeric_limits<T>::max();
  if (n && *n > kMost) return bad(tr("{} is too large", *n));
  return store_in_range<T>(member, n, range, parse_integer, n ? fmt::format("{}", *n) : "");
}

template <typename T>
Status set_size(void* member, const Value& value, const Range& range) {
  bool written = value.kind == Value::Kind::kString;
  if (!written && value.kind != Value::Kind::kInteger)
    return bad(tr("must be a size such as \"50MiB\", not {}", value.kind_name()));
  auto n = written ? parse_size(value.string) : integer_of(value);
  if (n && *n > std::numeric_limits<T>::max()) return bad(tr("{} is too large", size_text(*n)));
  return store_in_range<T>(member, n, range, parse_size,
                           written ? quoted(value.string) : fmt::format("{}", value.integer));
}

Status set_duration(void* member, const Value& value, const Range& range) {
  if (value.kind == Value::Kind::kInteger && value.integer == 0)
    return store_in_range<Duration>(member, Result<Duration>(Duration(0)), range, parse_duration, "0");
  if (value.kind == Value::Kind::kInteger) {
    return bad(tr("{} needs a unit, in quotes: \"{}s\", \"{}min\", \"{}h\"", value.integer, value.integer,
                  value.integer, value.integer));
  }
  if (value.kind != Value::Kind::kString)
    return bad(tr("must be a duration such as \"30s\" or \"5min\", not {}", value.kind_name()));
  return store_in_range<Duration>(member, parse_duration(value.string), range, parse_duration, quoted(value.string));
}

Status set_port(void* member, const Value& value, const Range&) {
  bool numeric = value.kind == Value::Kind::kInteger;
  if (!numeric && value.kind != Value::Kind::kString)
    return bad(tr("must be a port number or name, not {}", value.kind_name()));
  auto port = parse_port(numeric ? fmt::format("{}", value.integer) : value.string);
  if (!port) return std::unexpected(port.error());
  *static_cast<std::uint16_t*>(member) = *port;
  return {};
}

template <typename T>
const T& as(const void* member) {
  return *static_cast<const T*>(member);
}

std::string size_toml(std::uint64_t octets) {
  std::string text = size_text(octets);
  return is_digit(text.back()) ? text : quoted(text);
}

std::string list_text(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const std::string& item : list) out += (out.size() > 1 ? ", " : "") + quoted(item);
  return out + "]";
}

// A number that may be negative.
Status set_signed(void* member, const Value& value, const Range& range) {
  auto parse = [](std::string_view text) -> std::optional<std::int64_t> {
    const bool negative = text.starts_with('-');
    auto number = parse_number(negative ? text.substr(1) : text);
    if (!number || *number > INT32_MAX) return std::nullopt;
    return negative ? -static_cast<std::int64_t>(*number) : static_cast<std::int64_t>(*number);
  };
  std::optional<std::int64_t> number;
  if (value.kind == Value::Kind::kInteger) number = value.integer;
  if (value.plain) number = parse(trim(value.string));
  if (!number) return bad(tr("must be a whole number, not {}", value.kind_name()));
  if (*number < parse(range.min).value_or(INT32_MIN) || *number > parse(range.max).value_or(INT32_MAX))
    return bad(tr("{} is not between {} and {}", *number, range.min, range.max));
  *static_cast<std::int32_t*>(member) = static_cast<std::int32_t>(*number);
  return {};
}

}  // namespace

std::string_view suggest(std::string_view word, const std::vector<std::string_view>& words) {
  std::string_view near = nearest(word, words);
  if (!near.empty() || word.size() < 3) return near;
  for (std::string_view candidate : words) {
    if (candidate.size() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate))) return candidate;
  }
  return {};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (is_control(c))
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

Result<Duration> parse_duration(std::string_view text) {
  const std::string shown = quoted(text);
  std::string_view rest = trim(text);
  if (rest == "0") return Duration(0);
  std::uint64_t total = 0;
  if (rest.empty()) return bad(_("must be a duration such as \"30s\" or \"5min\""));
  while (!rest.empty()) {
    auto number = parse_number(take_number(rest));
    rest = trim(rest);
    const std::string_view word = take_word(rest);
    const Unit* unit = find_unit(kTimeUnits, word);
    if (unit == nullptr) unit = find_unit(kMoreTimeUnits, word);
    if (!number || unit == nullptr)
      return bad(tr("{} is not a duration: a number with ms, s, min, h, d or w, such as \"30s\"", shown));
    constexpr std::uint64_t kMost = 36'500ull * 86'400'000;  // a century
    if (*number > kMost / unit->factor || (total += *number * unit->factor) > kMost)
      return bad(tr("{} is too long", shown));
    rest = trim(rest);
  }
  return Duration(total);
}

std::string duration_text(Duration d) {
  return in_units(static_cast<std::uint64_t>(d.count()), kTimeUnits);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = trim(text);
  auto number = parse_number(take_number(rest));
  rest = trim(rest);
  const Unit* unit = find_unit(kSizeUnits, rest);
  if (unit == nullptr) unit = find_unit(kMoreSizeUnits, rest);
  if (!number || unit == nullptr)
    return bad(tr("{} is not a size: a number with KiB, MiB, GiB, KB, MB or GB, such as \"50MiB\"", quoted(text)));
  if (*number > (1ull << 62) / unit->factor) return bad(tr("{} is too large", quoted(text)));
  return *number * unit->factor;
}

std::string size_text(std::uint64_t octets) {
  return in_units(octets, kSizeUnits);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::vector<std::string_view> names;
  for (const auto& [name, port] : kPorts) {
    if (iequals(name, text)) return port;
    names.push_back(name);
  }
  auto number = parse_number(text);
  if (number && *number >= 1 && *number <= 65535) return static_cast<std::uint16_t>(*number);
  if (!text.empty() && (is_digit(text[0]) || text[0] == '-')) return bad(tr("{} is not a port: 1 to 65535", text));
  std::string_view near = suggest(lower(text), names);
  if (!near.empty()) return bad(tr("{} is not a port: did you mean {}?", quoted(text), quoted(near)));
  return bad(
      tr("{} is not a port: a number, or \"smtp\" (25), \"submission\" (587), \"submissions\" (465)", quoted(text)));
}

template <>
const Codec& codec<std::string>() {
  static const Codec kCodec = {"text", set_string, [](const void* m) { return quoted(as<std::string>(m)); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::vector<std::string>>() {
  static const Codec kCodec = {"list", set_list,
                               [](const void* m) { return list_text(as<std::vector<std::string>>(m)); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::vector<tls::Identity>>() {
  static const Codec kCodec = {"list of { certificate, key }", set_identities,
                               [](const void* m) {
                                 std::string out = "[";
                                 for (const tls::Identity& one : as<std::vector<tls::Identity>>(m)) {
                                   out += (out.size() > 1 ? ", " : "") + ("{ certificate = " + quoted(one.cert_file));
                                   if (!one.key_file.empty()) out += ", key = " + quoted(one.key_file);
                                   out += " }";
                                 }
                                 return out + "]";
                               },
                               nullptr};
  return kCodec;
}
template <>
const Codec& codec<bool>() {
  static const Codec kCodec = {"true or false", set_bool,
                               [](const void* m) { return std::string(as<bool>(m) ? "true" : "false"); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::uint32_t>() {
  static const Codec kCodec = {"number", set_integer<std::uint32_t>,
                               [](const void* m) { return fmt::format("{}", as<std::uint32_t>(m)); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::int32_t>() {
  static const Codec kCodec = {"number", set_signed,
                               [](const void* m) { return fmt::format("{}", as<std::int32_t>(m)); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::uint64_t>() {
  static const Codec kCodec = {"number", set_integer<std::uint64_t>,
                               [](const void* m) { return fmt::format("{}", as<std::uint64_t>(m)); }, nullptr};
  return kCodec;
}
template <>
const Codec& codec<std::uint16_t>() {
  static const Codec kCodec = {"port", set_port, [](const void* m) { return fmt::format("{}", as<std::uint16_t>(m)); },
                               nullptr};
  return kCodec;
}
template <>
const Codec& codec<Duration>() {
  static const Codec kCodec = {"duration", set_duration,
                               [](const void* m) { return quoted(duration_text(as<Duration>(m))); }, nullptr};
  return kCodec;
}
const Codec& size32_codec() {
  static const Codec kCodec = {"size", set_size<std::uint32_t>,
                               [](const void* m) { return size_toml(as<std::uint32_t>(m)); }, nullptr};
  return kCodec;
}
const Codec& size64_codec() {
  static const Codec kCodec = {"size", set_size<std::uint64_t>,
                               [](const void* m) { return size_toml(as<std::uint64_t>(m)); }, nullptr};
  return kCodec;
}

}  // namespace sidegate::config
