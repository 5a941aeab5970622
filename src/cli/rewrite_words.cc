#include "cli/rewrite_words.h"

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::cli {

namespace json = boost::json;

namespace {

std::string in_words(const rewrite::Step& step) {
  const std::string before = printable(step.before, 300), after = printable(step.after, 300);
  std::string why = step.rule == "identity" ? fmt::format("identity = \"{}\"", step.because)
                                            : fmt::format("{}: {}", step.rule, printable(step.because, 300));
  if (step.rule == "identity" && step.because == "allowed")
    why = tr("identity = \"allowed\", and {} is not in allowed", before);
  std::string line = tr("{} becomes {}", before, after) + "  (" + why + ")";
  if (!step.at.empty()) line += "  [" + step.at + "]";
  return line;
}

}  // namespace

void print_steps(const Terminal& t, const char* subject, const rewrite::Steps& steps) {
  for (const rewrite::Step& step : steps) t.out << "  " << subject << ": " << in_words(step) << "\n";
}

json::array as_json(const rewrite::Steps& steps) {
  json::array out;
  for (const rewrite::Step& step : steps) {
    const std::size_t colon = step.at.rfind(':');
    const bool placed = colon != std::string::npos;
    out.push_back(json::object{
        {"rule", step.rule},
        {"before", step.before},
        {"after", step.after},
        {"because", step.because},
        {"file", placed ? step.at.substr(0, colon) : std::string()},
        {"line", placed ? parse_number(std::string_view(step.at).substr(colon + 1)).value_or(0) : std::uint64_t{0}}});
  }
  return out;
}

}  // namespace sidegate::cli
