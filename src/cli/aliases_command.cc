#include <boost/json.hpp>

#include <unistd.h>

#include "alias/check.h"
#include "base/i18n.h"
#include "cli/alias_reading.h"
#include "cli/commands.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

void print_json(const Terminal& t, const alias::Checked& checked) {
  for (const alias::FileCount& file : checked.files) {
    t.out << json::serialize(json::object{{"file", file.path},
                                          {"kind", file.is_virtual ? "virtual" : "aliases"},
                                          {"entries", file.entries},
                                          {"read", file.read}})
          << "\n";
  }
  for (const alias::Problem& problem : checked.problems) {
    t.out << json::serialize(
                 json::object{{"severity", problem.severity == alias::Severity::kError ? "error" : "warning"},
                              {"file", problem.at.file},
                              {"line", problem.at.line},
                              {"text", problem.what},
                              {"next", problem.next}})
          << "\n";
  }
}

void print(const Terminal& t, const alias::Checked& checked) {
  for (const alias::Problem& problem : checked.problems) {
    bool error = problem.severity == alias::Severity::kError;
    const std::string at = problem.at.text();
    t.out << at << (at.empty() ? "" : ": ")
          << t.in(error ? Colour::kRed : Colour::kYellow, error ? _("error: ") : _("warning: ")) << problem.what
          << "\n";
    if (!problem.next.empty()) t.out << "  " << problem.next << "\n";
  }
  for (const alias::FileCount& file : checked.files) {
    std::string count = !file.read ? std::string(_("not read"))
                        : file.is_virtual
                            ? trn("{} virtual address", "{} virtual addresses", file.entries, file.entries)
                            : trn("{} alias", "{} aliases", file.entries, file.entries);
    t.out << file.path << ": " << count << "\n";
  }
  if (checked.includes > 0) t.out << tr("{} included files", checked.includes) << "\n";
}

}  // namespace

AliasReading::AliasReading(const config::Settings& settings)
    : files_(null_log()), sources_(service_user(settings), null_log()) {
  sources_.set_forwards(intake::read_forward_file);
  files_.set_settings(settings.alias);
  now_ = files_.current();
}

unsigned AliasReading::service_user(const config::Settings& settings) {
  auto user = intake::find_system_user(settings.user);
  return user && *user ? (*user)->uid : geteuid();
}

alias::Problems alias_problems(const config::Settings& settings) {
  AliasReading reading(settings);
  alias::Problems problems = alias::check(settings.alias, reading.tables(), reading.sources()).problems;
  for (alias::Problem& problem : alias::check_duty(settings.alias, reading.tables(), reading.sources()))
    problems.push_back(std::move(problem));
  return problems;
}

int aliases_check_command(const Context& context) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  AliasReading reading(loaded->settings);
  alias::Checked checked = alias::check(loaded->settings.alias, reading.tables(), reading.sources());
  if (context.common.json)
    print_json(context.terminal, checked);
  else
    print(context.terminal, checked);
  return alias::has_error(checked.problems) ? EX_DATAERR : EX_OK;
}

}  // namespace sidegate::cli
