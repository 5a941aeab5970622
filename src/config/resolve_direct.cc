// What is wrong or unwise in the [direct] block.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"

namespace sidegate::config {

void resolve_direct(Draft& draft) {
  Settings& s = draft.loaded.settings;
  const deliver::DirectSettings& direct = s.direct;
  for (const std::string& family : direct.address_families) {
    if (family != "ipv4" && family != "ipv6")
      draft.error(draft.where("direct", 0, "address_families"), tr("{} is no address family", family),
                  _("write address_families = [\"ipv6\", \"ipv4\"], or one of them"));
  }
  if (direct.address_families.empty())
    draft.error(draft.where("direct", 0, "address_families"), _("direct delivery needs an address family"),
                _("write address_families = [\"ipv6\", \"ipv4\"], or one of them"));
  for (const auto& [key, address, six] : {std::tuple("source_address", &direct.source_address, false),
                                          std::tuple("source_address6", &direct.source_address6, true)}) {
    const bool good = is_numeric_address(*address) && (address->find(':') != std::string::npos) == six;
    if (!address->empty() && !good)
      draft.error(draft.where("direct", 0, key), tr("{} is no address of that family", *address),
                  _("write a numeric address of this machine"));
  }
  if (direct.tls == deliver::TlsMode::kImplicit)
    draft.error(draft.where("direct", 0, "tls"), _("port 25 begins without TLS"), _("write tls = \"starttls\""));
  if (direct.private_addresses)
    draft.warn(draft.where("direct", 0, "private_addresses"),
               _("any stranger's MX record may lead into the networks of this machine"),
               _("list your own networks in private_networks instead"));
  for (std::size_t i = 0; i < s.deliver.relays.size(); ++i) {
    if (iequals(s.deliver.relays[i].name, deliver::kDirectWay))
      draft.error(draft.where("relay", i, "name"), _("relay direct: mail straight to MX hosts goes by that name"),
                  _("give it another name"));
  }
  s.deliver.direct = s.direct;
}

}  // namespace sidegate::config
