#include "cli/finding_text.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::cli {

using doctor::Mark;

std::string finding_text(const Terminal& terminal, const doctor::Finding& f) {
  const char* sign = f.mark == Mark::kGood      ? _("ok")
                     : f.mark == Mark::kNote    ? _("note")
                     : f.mark == Mark::kWarning ? _("WARN")
                                                : _("WRONG");
  const Colour colour = f.mark == Mark::kGood    ? Colour::kGreen
                        : f.mark == Mark::kWrong ? Colour::kRed
                                                 : Colour::kYellow;
  std::string out = terminal.in(colour, sign) + std::string(6 - std::min<std::size_t>(5, display_width(sign)), ' ');
  if (!f.place.empty()) out += f.place + ": ";
  out += f.text;
  if (!f.why.empty()) out += " - " + f.why;
  if (!f.next.empty()) out += " -> " + f.next;
  out += "\n";
  for (std::string_view line : split(f.paste, '\n')) {
    if (!line.empty()) out += "        " + std::string(line) + "\n";
  }
  return out;
}

}  // namespace sidegate::cli
