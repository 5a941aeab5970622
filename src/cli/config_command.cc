#include <sys/stat.h>
#include <boost/json.hpp>

#include "base/i18n.h"
#include "cli/commands.h"
#include "config/gateways.h"
#include "config/show.h"
#include "login/user_file.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;

void print_problem_json(const Terminal& t, const config::Problem& problem, const char* severity) {
  json::object out{
      {"severity", severity}, {"file", problem.where.file}, {"line", problem.where.line}, {"text", problem.what}};
  if (!problem.next.empty()) out["next"] = problem.next;
  t.out << json::serialize(out) << "\n";
}

void print_problem(const Terminal& t, const config::Problem& problem, const char* severity, Colour colour) {
  const std::string at = problem.where.text();
  t.out << at << (at.empty() ? "" : ": ") << t.in(colour, severity) << problem.what << "\n";
  if (!problem.next.empty()) t.out << "  " << problem.next << "\n";
}

// What is wrong in the file of users, which is none of the configuration's own.
config::Problems user_problems(const login::Settings& auth) {
  config::Problems problems;
  std::vector<login::UserProblem> wrong;
  (void)login::UserFile::parse(auth.users, &wrong);
  for (const login::UserProblem& p : wrong) problems.push_back({{auth.user_file, p.line}, p.text, {}});
  struct stat s{};
  const bool open_to_all = !auth.users.empty() && stat(auth.user_file.c_str(), &s) == 0 && (s.st_mode & S_IROTH) != 0;
  if (open_to_all)
    problems.push_back({{auth.user_file, 0},
                        tr("{} can be read by every user of this machine", auth.user_file),
                        tr("type: chmod 640 {}", auth.user_file)});
  return problems;
}

}  // namespace

int config_check(const Context& context) {
  const Terminal& t = context.terminal;
  auto loaded = config::load(context.request());
  const config::Problems none;
  const config::Problems& errors = loaded ? none : loaded.error();
  const config::Problems& warnings = loaded ? loaded->warnings : none;
  for (const config::Problem& problem : errors) {
    if (context.common.json)
      print_problem_json(t, problem, "error");
    else
      print_problem(t, problem, _("error: "), Colour::kRed);
  }
  for (const config::Problem& problem : warnings) {
    if (context.common.json)
      print_problem_json(t, problem, "warning");
    else
      print_problem(t, problem, _("warning: "), Colour::kYellow);
  }
  if (!loaded) return EX_CONFIG;
  for (const alias::Problem& problem : alias_problems(loaded->settings)) {
    const config::Problem shown{{problem.at.file, problem.at.line}, problem.what, problem.next};
    if (context.common.json)
      print_problem_json(t, shown, "warning");
    else
      print_problem(t, shown, _("warning: "), Colour::kYellow);
  }
  for (const config::Problem& problem : user_problems(loaded->settings.auth)) {
    if (context.common.json)
      print_problem_json(t, problem, "warning");
    else
      print_problem(t, problem, _("warning: "), Colour::kYellow);
  }
  for (const config::Problem& warning : config::warn_about_gateways(loaded->settings, config::look_around())) {
    if (context.common.json)
      print_problem_json(t, warning, "warning");
    else
      print_problem(t, warning, _("warning: "), Colour::kYellow);
  }
  for (const std::string& sentence : config::who_may_relay(loaded->settings)) {
    if (context.common.json)
      print_problem_json(t, {{}, sentence, {}}, "note");
    else
      t.out << sentence << "\n";
  }
  if (!context.common.json)
    t.out << t.in(Colour::kGreen,
                  tr("{}: in order", loaded->path.empty() ? std::string(_("the environment")) : loaded->path))
          << "\n";
  return EX_OK;
}

int config_show(const Context& context, bool only_changed) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  if (!context.common.json) {
    context.terminal.out << (only_changed ? config::diff(*loaded) : config::show(*loaded));
    return EX_OK;
  }
  for (const config::Entry& e : config::entries(*loaded)) {
    if (only_changed && !e.changed) continue;
    context.terminal.out << json::serialize(json::object{{"key", e.key},
                                                         {"value", e.value},
                                                         {"default", e.default_value},
                                                         {"source", e.source},
                                                         {"changed", e.changed}})
                         << "\n";
  }
  return EX_OK;
}

int config_default(const Context& context) {
  context.terminal.out << config::sample();
  return EX_OK;
}

int config_explain(const Context& context, const std::string& key) {
  auto text = config::explain(key);
  if (!text) {
    report(context, text.error(), _("every key: sidegate config default"));
    return EX_USAGE;
  }
  context.terminal.out << *text;
  return EX_OK;
}

int config_reference(const Context& context) {
  context.terminal.out << config::reference();
  return EX_OK;
}

}  // namespace sidegate::cli
