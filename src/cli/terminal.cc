#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "base/i18n.h"

namespace sidegate::cli {
namespace {

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return 80;
}

// One character: its octets and columns. Malformed octets count as one column each.
struct Character {
  std::size_t octets, columns;
};

bool is_wide(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kWide[] = {
      {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},  {0x4e00, 0x9fff},
      {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},  {0xff00, 0xff60},
      {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  return std::ranges::any_of(kWide, [c](const auto& range) { return c >= range.first && c <= range.second; });
}

bool is_combining(char32_t c) {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0x3099 ||
         c == 0x309a;
}

Character next_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (n == 1 || text.size() < n) return {1, 1};
  char32_t c = lead & (0xff >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) c = (c << 6) | (static_cast<unsigned char>(text[i]) & 0x3f);
  return {n, is_combining(c) ? 0u : is_wide(c) ? 2u : 1u};
}

const char* code(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return "\033[31m";
    case Colour::kGreen:
      return "\033[32m";
    case Colour::kYellow:
      return "\033[33m";
    case Colour::kBold:
      return "\033[1m";
    case Colour::kDim:
      return "\033[2m";
    case Colour::kNone:
      break;
  }
  return "";
}

}  // namespace

Terminal Terminal::of_process() {
  Terminal t{std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1, false, 0};
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  t.colour = t.out_is_terminal && (no_colour == nullptr || *no_colour == '\0') && kind != nullptr &&
             std::string_view(kind) != "dumb";
  if (t.out_is_terminal) t.width = terminal_width();
  return t;
}

std::string Terminal::in(Colour c, std::string_view text) const {
  if (!colour || c == Colour::kNone) return std::string(text);
  return std::string(code(c)) + std::string(text) + "\033[0m";
}

void Terminal::error(std::string_view what, std::string_view next) const {
  end_progress();
  err << "sidegate: " << what << "\n";
  if (!next.empty()) err << "  " << next << "\n";
}

void Terminal::warning(std::string_view what) const {
  end_progress();
  err << _("warning: ") << what << "\n";
}

void Terminal::progress(std::string_view text) const {
  if (err_is_terminal) err << "\r\033[K" << text << std::flush;
}

void Terminal::end_progress() const {
  if (err_is_terminal) err << "\r\033[K" << std::flush;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character c = next_character(text);
    columns += c.columns;
    text.remove_prefix(c.octets);
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (columns == 0 || display_width(text) <= columns) return std::string(text);
  const std::size_t keep = columns > 3 ? columns - 3 : columns;
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const Character c = next_character(text);
    if (used + c.columns > keep) break;
    used += c.columns;
    out += text.substr(0, c.octets);
    text.remove_prefix(c.octets);
  }
  return out + std::string(columns > 3 ? "..." : "");
}

std::string padded(std::string_view text, std::size_t columns) {
  std::string out = cut(text, columns);
  const std::size_t used = display_width(out);
  if (used < columns) out.append(columns - used, ' ');
  return out;
}

std::string table(const std::vector<std::string>& headings, const std::vector<std::vector<std::string>>& rows,
                  std::size_t width) {
  std::vector<std::size_t> columns;
  for (const std::string& heading : headings) columns.push_back(display_width(heading));
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i)
      columns[i] = std::max(columns[i], display_width(row[i]));
  }
  std::string out;
  auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += i + 1 == cells.size() ? cells[i] : padded(cells[i], columns[i]) + "  ";
    out += cut(text, width) + "\n";
  };
  line(headings);
  for (const auto& row : rows) line(row);
  return out;
}

std::string size_words(unsigned long long octets) {
  constexpr std::pair<unsigned long long, const char*> kUnits[] = {
      {1ull << 30, "GiB"}, {1ull << 20, "MiB"}, {1ull << 10, "KiB"}};
  for (const auto& [factor, name] : kUnits) {
    if (octets >= factor)
      return fmt::format("{:.1f} {}", static_cast<double>(octets) / static_cast<double>(factor), name);
  }
  return fmt::format("{} B", octets);
}

std::string age_words(long long seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}min", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

}  // namespace sidegate::cli
