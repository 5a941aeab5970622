// Where a command writes: text for people, with colour and width where there is a terminal. Colour never says anything
// that the words do not.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace sidegate::cli {

enum class Colour : unsigned char { kNone, kRed, kGreen, kYellow, kBold, kDim };

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool colour = false;    // on a terminal, unless NO_COLOR is set (no-color.org)
  std::size_t width = 0;  // columns; 0: no limit (a pipe or a file)

  static Terminal of_process();
  std::string in(Colour colour, std::string_view text) const;  // out's colour
  // "sidegate: what" on err, and the next step on a line of its own.
  void error(std::string_view what, std::string_view next = {}) const;
  void warning(std::string_view what) const;
  void progress(std::string_view text) const;  // one line on err that the next one replaces; nothing without a terminal
  void end_progress() const;
};

// Columns that a text takes: East Asian wide characters count two, combining ones none (UAX 11).
std::size_t display_width(std::string_view text);
// At most `columns` wide, "..." at the end where something is missing. 0: all of it.
std::string cut(std::string_view text, std::size_t columns);
std::string padded(std::string_view text, std::size_t columns);  // cut and filled with spaces

// Rows under headings, columns as wide as their widest cell; the last one takes what the terminal leaves.
std::string table(const std::vector<std::string>& headings, const std::vector<std::vector<std::string>>& rows,
                  std::size_t width);

std::string size_words(unsigned long long octets);  // "4.2 KiB"
std::string age_words(long long seconds);           // "5s", "12min", "3h", "4d"

}  // namespace sidegate::cli
