// What is wrong or unwise in the [direct] block.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/outgoing.h"
#include "config/resolve.h"

namespace sidegate::config {

namespace {

using deliver::TlsLevel;

void check_rules(Draft& draft) {
  const auto& rules = draft.loaded.settings.direct.tls_rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const bool names = rules[i].level == TlsLevel::kVerify || rules[i].level == TlsLevel::kSecure;
    if (!rules[i].match.empty() && !names)
      draft.error(draft.where("tls_policy", i, "match"), _("match is for level = \"verify\" and \"secure\" alone"),
                  _("set one of these levels, or take match away"));
    for (std::size_t j = 0; j < i; ++j) {
      if (rules[j].domain != rules[i].domain || rules[i].domain.empty()) continue;
      draft.error(draft.where("tls_policy", i, "domain"),
                  tr("[[tls_policy]] {} is there twice", quoted(rules[i].domain)), _("remove one of them"));
      break;
    }
  }
}

void read_ca(Draft& draft) {
  constexpr std::size_t kMost = 16 << 20;
  deliver::DirectSettings& direct = draft.loaded.settings.direct;
  if (direct.tls_ca_file.empty() || !draft.request.open_files) return;
  auto text = draft.request.files->text(direct.tls_ca_file, kMost);
  const Where where = draft.where("direct", 0, "tls_ca_file");
  if (!text) return draft.error(where, text.error().what, text.error().next);
  if (auto fault = fault_of_authorities(direct.tls_ca_file, *text)) return draft.error(where, fault->what, fault->next);
  direct.tls_ca_pem = std::move(*text);
}

// A missing key is no error where nobody has asked for it: DNSSEC is then not validated, which `doctor` tells.
void read_trust_anchor(Draft& draft) {
  constexpr std::size_t kMost = 1 << 20;
  dns::ResolverSettings& dns = draft.loaded.settings.dns;
  if (dns.trust_anchor.empty() || !draft.request.open_files) return;
  auto text = draft.request.files->text(dns.trust_anchor, kMost);
  if (text) {
    dns.trust_anchor_text = std::move(*text);
  } else if (draft.given("dns", 0, "trust_anchor")) {
    draft.error(draft.where("dns", 0, "trust_anchor"), text.error().what, text.error().next);
  }
}

}  // namespace

void resolve_direct(Draft& draft) {
  read_trust_anchor(draft);
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
  const Outgoing out{draft, "direct", 0, {}};
  read_proxy(out, s.direct.proxy);
  read_certificate(out, s.direct.certificate);
  check_rules(draft);
  read_ca(draft);
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
