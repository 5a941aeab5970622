// Relay domains: who is taken for them, and the way on.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"
#include "mail/idna.h"

namespace sidegate::config {
namespace {

using intake::RecipientCheck;

constexpr std::size_t kMostList = 16 << 20;

void resolve_recipients(Draft& draft, std::size_t i, const RelayDomainBlock& block) {
  intake::RelayDomainSettings settings{block.domain, RecipientCheck::kAny, {}};
  const Where where = draft.where("relay_domain", i, "recipients");
  if (block.recipients == "call-forward") {
    settings.check = RecipientCheck::kCallForward;
  } else if (block.recipients.starts_with('/')) {
    settings.check = RecipientCheck::kList;
    if (draft.request.open_files) {
      auto text = draft.request.files->text(block.recipients, kMostList);
      if (!text) return draft.error(where, text.error().what, text.error().next);
      settings.list_text = std::move(*text);
    }
  } else if (block.recipients != "any") {
    return draft.error(
        where, tr("recipients: {} is not \"any\", \"call-forward\" or the path of a file", quoted(block.recipients)));
  }
  draft.loaded.settings.relay_recipients.push_back(std::move(settings));
}

void resolve_next_hop(Draft& draft, std::size_t i, const RelayDomainBlock& block) {
  deliver::NextHop hop;
  hop.domain = block.domain;
  deliver::RelaySettings& relay = hop.relay;
  relay.name = deliver::next_hop_name(block.domain);
  relay.tls = block.tls;
  relay.tls_verify = block.tls != deliver::TlsMode::kOpportunistic;
  relay.port = 25;
  relay.connections = block.connections;
  const Where where = draft.where("relay_domain", i, "next_hop");
  auto parts = parse_host_port(block.next_hop);
  if (!parts) return draft.error(where, "next_hop: " + parts.error().text);
  relay.host = parts->host;
  if (relay.host.starts_with('[')) relay.tls_name = relay.host.substr(1, relay.host.size() - 2);
  if (!parts->port.empty()) {
    auto port = parse_port(parts->port);
    if (!port) return draft.error(where, "next_hop: " + port.error().text);
    relay.port = *port;
  }
  draft.loaded.settings.deliver.next_hops.push_back(std::move(hop));
}

void check_domain_once(Draft& draft, std::size_t i) {
  const Settings& s = draft.loaded.settings;
  const std::string& domain = s.relay_domains[i].domain;
  const Where where = draft.where("relay_domain", i, "domain");
  const auto same = [&](const std::string& other) { return mail::same_domain(other, domain); };
  if (std::ranges::any_of(s.alias.local_domains, same))
    return draft.error(where, tr("{} is in local_domains too: its mail ends here and goes nowhere", quoted(domain)),
                       _("remove it from one of them"));
  for (std::size_t j = 0; j < i; ++j) {
    if (same(s.relay_domains[j].domain))
      return draft.error(where, tr("[[relay_domain]] {} is there twice", quoted(domain)), _("remove one of them"));
  }
}

}  // namespace

void resolve_relay_domains(Draft& draft) {
  const auto& blocks = draft.loaded.settings.relay_domains;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].domain.empty() || blocks[i].next_hop.empty()) continue;  // told of already: they must be given
    check_domain_once(draft, i);
    resolve_recipients(draft, i, blocks[i]);
    resolve_next_hop(draft, i, blocks[i]);
  }
}

}  // namespace sidegate::config
