// The styles of the log. Whatever a peer sends ends up here: no value can leave its quotes or its line.
#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/log.h"
#include "base/text.h"

namespace sidegate {

namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// "2026-11-21T22:25:12.123Z". The formatted second is kept: lines come many in a second.
void append_time(std::string& out, WallTime at) {
  thread_local std::chrono::sys_seconds kept_second = std::chrono::sys_seconds::min();
  thread_local std::string kept;
  auto second = std::chrono::floor<std::chrono::seconds>(at);
  if (second != kept_second || kept.empty()) {
    auto day = std::chrono::floor<std::chrono::days>(second);
    std::chrono::year_month_day date(day);
    std::chrono::hh_mm_ss time(second - day);
    kept = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                       time.minutes().count(), time.seconds().count());
    kept_second = second;
  }
  auto millis = static_cast<unsigned>((at - second).count());
  out += kept;
  out += {static_cast<char>('0' + millis / 100), static_cast<char>('0' + millis / 10 % 10),
          static_cast<char>('0' + millis % 10), 'Z'};
}

bool plain_in_json(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f && c != '"' && c != '\\';
}

void append_ascii_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
}

// C1 controls, and the two line separators that some readers take for a line feed.
bool breaks_lines(std::string_view character) {
  return (character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0) ||
         character == "\u2028" || character == "\u2029";
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && plain_in_json(text[run])) ++run;
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) break;
    std::size_t length = utf8_sequence(text);
    std::string_view character = text.substr(0, length);
    if (length == 0) {
      out += "\\ufffd";
    } else if (length == 1) {
      append_ascii_escaped(out, text[0]);
    } else if (breaks_lines(character)) {
      out += character.size() == 2 ? fmt::format("\\u00{:02x}", static_cast<unsigned char>(character[1]))
                                   : std::string(character == "\u2028" ? "\\u2028" : "\\u2029");
    } else {
      out += character;
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void append_number(std::string& out, std::int64_t value) {
  out += fmt::format_int(value).c_str();
}

void append_number(std::string& out, double value) {
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out), "{}", value);
  } else {
    out += "null";  // RFC 8259 section 6: JSON has no infinity and no NaN
  }
}

void append_number(std::string& out, bool value) {
  out += value ? "true" : "false";
}

struct JsonValue {
  std::string& out;
  void operator()(std::string_view text) const { append_json_string(out, text); }
  void operator()(auto number) const { append_number(out, number); }
};

class JsonStyle final : public LogStyle {
 public:
  std::string line(WallTime at, LogLevel level, std::string_view event, LogFields fields) const override {
    std::string out;
    out.reserve(320);
    out += "{\"time\":\"";
    append_time(out, at);
    out += "\",\"level\":\"";
    out += level_name(level);
    out += "\",\"event\":";
    append_json_string(out, event);
    for (const LogField& field : fields) {
      out += ',';
      append_json_string(out, field.key);
      out += ':';
      std::visit(JsonValue{out}, field.value);
    }
    out += '}';
    return out;
  }
};

struct PlainValue {
  std::string& out;
  void operator()(auto number) const { append_number(out, number); }
  void operator()(std::string_view text) const {
    std::string safe = printable(text, 4000);
    if (!safe.empty() && safe.find_first_of(" \"=") == std::string::npos) {
      out += safe;
      return;
    }
    out += '"';
    for (char c : safe) {
      if (c == '"') out += '\\';
      out += c;
    }
    out += '"';
  }
};

class PlainStyle final : public LogStyle {
 public:
  std::string line(WallTime at, LogLevel level, std::string_view event, LogFields fields) const override {
    std::string out;
    out.reserve(240);
    append_time(out, at);
    out += ' ';
    if (level != LogLevel::kInfo) {
      out += level_name(level);
      out += ": ";
    }
    out += printable(event);
    for (const LogField& field : fields) {
      out += ' ';
      out += printable(field.key);
      out += '=';
      std::visit(PlainValue{out}, field.value);
    }
    return out;
  }
};

}  // namespace

std::unique_ptr<LogStyle> json_log_style() {
  return std::make_unique<JsonStyle>();
}
std::unique_ptr<LogStyle> plain_log_style() {
  return std::make_unique<PlainStyle>();
}

}  // namespace sidegate
