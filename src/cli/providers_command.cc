// `sidegate config providers`: the presets there are, with what each is built on.
#include <boost/json.hpp>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "provider/presets.h"

namespace sidegate::cli {
namespace {

namespace json = boost::json;
using provider::Preset;
using provider::UserForm;

const char* word(UserForm form) {
  switch (form) {
    case UserForm::kUnknown:
      return "unknown";
    case UserForm::kAddress:
      return "address";
    case UserForm::kLocalPart:
      return "local-part";
    case UserForm::kDotted:
      return "dotted";
    case UserForm::kFixed:
      return "fixed";
    case UserForm::kOwn:
      return "own";
  }
  return "unknown";
}

json::object row(const Preset& p) {
  json::array aliases;
  for (std::string_view alias : split(p.aliases, ' ')) {
    if (!alias.empty()) aliases.emplace_back(alias);
  }
  json::object out{{"provider", p.id},
                   {"title", p.title},
                   {"aliases", aliases},
                   {"host", p.host},
                   {"ports", json::value_from(p.ports)},
                   {"user", word(p.user_form)},
                   {"note", p.note},
                   {"source", p.source},
                   {"date", p.date}};
  if (!p.needs.empty()) out["needs"] = p.needs;
  if (!p.user.empty()) out["fixed_user"] = p.user;
  if (p.per_day > 0) out["messages_per_day"] = p.per_day;
  return out;
}

}  // namespace

int config_providers(const Context& context) {
  const Terminal& t = context.terminal;
  std::vector<std::vector<std::string>> rows;
  for (const Preset& p : provider::presets()) {
    if (context.common.json) {
      t.out << json::serialize(row(p)) << "\n";
      continue;
    }
    std::string host = p.host.empty() ? tr("(needs {})", p.needs) : std::string(p.host);
    rows.push_back({std::string(p.id), std::string(p.title), host, fmt::format("{}", fmt::join(p.ports, " ")),
                    word(p.user_form), fmt::format("{} ({})", p.source, p.date)});
  }
  if (!context.common.json)
    t.out << table({_("PROVIDER"), _("NAME"), _("HOST"), _("PORTS"), _("USER"), _("SOURCE")}, rows, t.width);
  return EX_OK;
}

}  // namespace sidegate::cli
