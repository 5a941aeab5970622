// Words for people, in their language: gettext's catalogue "sidegate" (po/*.po). Logs, protocol replies and --json stay
// as they are in every locale; only what a person reads at a terminal is translated.
//
//   _("text")            translated now          N_("text")   marked for the catalogue, translated where it is shown
//   tr("{} rows", n)     translated, then filled in (fmt); a catalogue with wrong places falls back to the original
//   trn("{} row", "{} rows", n, n)   the form that the number in front asks for (of rows that are counted one by one)
#pragma once

#include <fmt/format.h>
#include <libintl.h>

#include <clocale>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace sidegate {

inline const char* translated(const char* text) {
  return *text == '\0' ? text : dgettext("sidegate", text);
}

template <typename... Args>
std::string tr(const char* format, const Args&... args) {
  try {
    return fmt::vformat(translated(format), fmt::make_format_args(args...));
  } catch (const fmt::format_error&) {
    return fmt::vformat(format, fmt::make_format_args(args...));
  }
}

template <typename... Args>
std::string trn(const char* one, const char* many, std::uint64_t count, const Args&... args) {
  try {
    return fmt::vformat(dngettext("sidegate", one, many, count), fmt::make_format_args(args...));
  } catch (const fmt::format_error&) {
    return fmt::vformat(count == 1 ? one : many, fmt::make_format_args(args...));
  }
}

// The process's language from its environment; catalogues are in DIR/ja/LC_MESSAGES/sidegate.mo. Only the language of
// messages follows the locale: numbers and comparisons never do (base/text.h). Call before any thread starts.
inline void use_language_of_environment(const char* directory) {
  std::setlocale(LC_CTYPE, "");
  std::setlocale(LC_MESSAGES, "");
  if (const char* other = std::getenv("SIDEGATE_LOCALE_DIR")) directory = other;
  bindtextdomain("sidegate", directory);
  bind_textdomain_codeset("sidegate", "UTF-8");
}

// For programs that read us (--json) and for the log: the words of the source.
inline void speak_no_language() {
  std::setlocale(LC_MESSAGES, "C");
}

}  // namespace sidegate

// NOLINTBEGIN: gettext's own names, which xgettext looks for
#define _(text) ::sidegate::translated(text)
#define N_(text) text
// NOLINTEND
