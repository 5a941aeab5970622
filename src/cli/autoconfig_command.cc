// `sidegate config autoconfig`: what mail clients of the users look for to set themselves up.
#include "config/autoconfig.h"

#include "base/i18n.h"
#include "base/text.h"
#include "cli/commands.h"
#include "config/option_checks.h"

namespace sidegate::cli {

int config_autoconfig(const Context& context, const AutoconfigCommand& command) {
  auto loaded = context.load(false, false);
  if (!loaded) return EX_CONFIG;
  const config::Settings& settings = loaded->settings;
  config::Autoconfig wanted{command.domain, command.imap_host};
  if (wanted.domain.empty())
    wanted.domain = settings.alias.local_domains.empty() ? settings.hostname : settings.alias.local_domains.front();
  for (std::string* name : {&wanted.domain, &wanted.imap_host}) {
    if (name->empty() || (config::check_domain(*name) && name->front() != '[')) continue;
    context.terminal.error(tr("{} is no host name", printable(*name, 200)));
    return EX_USAGE;
  }
  const std::string text =
      command.records ? config::autoconfig_records(settings, wanted) : config::autoconfig_xml(settings, wanted);
  if (text.empty()) {
    context.terminal.error(_("no listener is for users' mail clients"),
                           _("add a [[listener]] with profile = \"submissions\" that is not on loopback"));
    return EX_CONFIG;
  }
  context.terminal.out << text << std::flush;
  return EX_OK;
}

}  // namespace sidegate::cli
