#include "cli/senders.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/way.h"
#include "dkim/signer.h"
#include "mail/idna.h"
#include "mail/mailbox.h"
#include "rewrite/rules.h"

namespace sidegate::cli {
namespace {

constexpr std::size_t kMostSenders = 12;

void add(std::vector<Sender>& all, std::string address, const std::string& used_by, bool guessed = false) {
  if (address.starts_with('@')) address.insert(0, "postmaster");
  const std::size_t at = address.rfind('@');
  if (at == std::string::npos || address.find('*') != std::string::npos || !mail::is_mailbox(address, true)) return;
  const std::string domain = address.substr(at + 1);
  // localhost in our domain is a name for ourselves: no mail leaves so.
  if (domain.find('.') == std::string::npos || istarts_with(domain, "localhost.")) return;
  if (std::ranges::any_of(all, [&](const Sender& s) { return iequals(s.address, address); })) return;
  all.push_back({std::move(address), used_by, guessed});
}

// Which senders' mail may leave by which way: the server's own table, asked without knowing whom mail is for.
class Routing {
 public:
  explicit Routing(const config::Settings& settings) : settings_(settings) {
    deliver::DeliverSettings deliver = settings.deliver;
    for (deliver::RelaySettings& relay : deliver.relays) relay.tls = deliver::TlsMode::kNone;  // nothing is opened
    ways_ = deliver::Ways::make(std::move(deliver));
  }
  // sender: an address, "@domain", or a user of this machine.
  bool leads(std::string sender, std::string_view way) const {
    if (sender.starts_with('@')) sender.insert(0, "postmaster");
    if (sender.find('@') == std::string::npos) sender += "@" + settings_.hostname;
    if (settings_.incoming) sender = settings_.incoming->apply(sender, rewrite::kEnvelopeSender);
    return has(ways_->table.ways_of_sender(lower(sender)), way);
  }
  bool is_used(std::string_view way) const { return has(ways_->table.ways_of_sender(std::nullopt), way); }
  // Anybody who may send as something else leaves as the account.
  bool uses_account(const deliver::RelaySettings& relay) const {
    return relay.identity == deliver::Identity::kKeep ? leads(relay.address, relay.name) : is_used(relay.name);
  }

 private:
  bool has(const std::vector<queue::WayId>& ids, std::string_view way) const {
    return std::ranges::any_of(ids, [&](queue::WayId id) { return iequals(ways_->list[id]->settings.name, way); });
  }

  const config::Settings& settings_;
  std::shared_ptr<const deliver::Ways> ways_;
};

// A [[route]] whose senders are addresses or one domain's.
void add_routed(const deliver::RouteSettings& route, const std::string& used_by, std::vector<Sender>& all) {
  for (const std::string& sender : route.conditions.senders) {
    if (sender.starts_with('/')) continue;  // a regular expression
    add(all, sender.starts_with("*@") ? sender.substr(1) : sender, used_by);
  }
}

// Of everybody who sends here, whatever the way.
void add_everybody(const config::Loaded& loaded, std::vector<Sender>& all) {
  const config::Settings& settings = loaded.settings;
  for (const intake::UserRules& rule : settings.users.some) {
    for (const std::string& sender : rule.senders) add(all, sender, "user_rule " + rule.name);
  }
  const bool given = loaded.sources.contains("local_domains");
  for (const std::string& domain : settings.alias.local_domains) {
    const bool ours = iequals(domain, settings.hostname);
    add(all, "postmaster@" + domain, given && !ours ? "local_domains" : "hostname", !given || ours);
  }
  for (std::size_t i = 0; i < settings.deliver.routes.size(); ++i)
    add_routed(settings.deliver.routes[i], fmt::format("route {}", i + 1), all);
  if (settings.deliver.dkim) {
    for (const dkim::Signer& signer : settings.deliver.dkim->all()) add(all, "postmaster@" + signer.domain, "dkim");
  }
  // Cron and other programs of this machine, whoever else sends.
  add(all, "root@" + settings.hostname, "hostname", true);
}

// What maps make of senders that stand nowhere else, as masquerading and generics then leave it.
void add_targets(const rewrite::Outgoing& rules, const Routing& routing, const std::string& way,
                 std::vector<Sender>& all) {
  rewrite::Outgoing after = rules;
  after.canonical = {};
  for (const rewrite::AddressMap* map : {&rules.canonical.all, &rules.canonical.sender}) {
    for (const rewrite::MapEntry& entry : map->entries()) {
      if (routing.leads(entry.key, way))
        add(all, after.apply(entry.value, rewrite::AddressClass::kEnvelopeSender), "canonical_out");
    }
  }
  for (const rewrite::MapEntry& entry : rules.generic.entries()) {
    if (routing.leads(entry.key, way)) add(all, entry.value, "generic");
  }
}

// Everybody whose mail may leave by that way, as its rules (masquerading, generics) make of them; the account's own
// address they do not concern. What a rule has made of an address somebody wrote down, whatever it was made of.
std::vector<Sender> leaving_by(const config::Loaded& loaded, const Routing& routing, const std::string& way,
                               const rewrite::Outgoing* rules) {
  std::vector<Sender> all, out;
  add_everybody(loaded, all);
  std::erase_if(all, [&](const Sender& sender) { return !routing.leads(sender.address, way); });
  if (rules == nullptr || rules->empty()) return all;
  add_targets(*rules, routing, way, out);
  for (const Sender& sender : all) {
    const std::string made = rules->apply(sender.address, rewrite::AddressClass::kEnvelopeSender);
    add(out, made, sender.used_by, sender.guessed && iequals(made, sender.address));
  }
  return out;
}

const rewrite::Outgoing* rules_of(const config::Settings& settings, const deliver::RelaySettings& relay) {
  if (!relay.rewrites) return nullptr;
  return relay.rewrite ? relay.rewrite.get() : settings.deliver.rewrite.get();
}

// The keys that sign for it, with the records that belong into DNS.
std::vector<doctor::KeyPublished> keys_for(const config::Settings& settings, const std::string& domain) {
  std::vector<doctor::KeyPublished> out;
  if (!settings.deliver.dkim) return out;
  for (const dkim::Signer* signer : settings.deliver.dkim->for_domain(domain)) {
    if (!signer->key) continue;
    const dkim::Record record = dkim::record_of(*signer->key, signer->domain, signer->selector);
    out.push_back({signer->selector, record.name, record.value, signer->key->public_base64(), {}});
  }
  return out;
}

std::vector<Sender> senders_of(const config::Loaded& loaded, const Routing& routing,
                               const deliver::RelaySettings& relay) {
  std::vector<Sender> account;
  add(account, relay.address, "relay " + relay.name);
  if (relay.identity == deliver::Identity::kAccount) return account;
  if (relay.identity == deliver::Identity::kAllowed) {
    for (const std::string& address : relay.allowed) {
      if (routing.leads(address, relay.name)) add(account, address, "relay " + relay.name);
    }
    return account;
  }
  const auto known = [&](const Sender& sender) {
    return std::ranges::any_of(account, [&](const Sender& s) { return iequals(s.domain(), sender.domain()); });
  };
  for (const Sender& sender : leaving_by(loaded, routing, relay.name, rules_of(loaded.settings, relay)))
    if (!sender.guessed || !known(sender)) add(account, sender.address, sender.used_by, sender.guessed);
  return account;
}

doctor::DomainLook look_of(const config::Settings& settings, const Sender& sender) {
  const auto ascii = mail::to_ascii(sender.domain());  // as its records are written
  const std::string domain = lower(ascii ? *ascii : sender.domain());
  doctor::DomainLook look{
      domain, sender.used_by, sender.address, sender.guessed, {}, keys_for(settings, domain), settings.hostname};
  look.patience = settings.doctor.patience;
  return look;
}

bool is_program(const deliver::RelaySettings& relay) {
  return relay.host.starts_with('/');
}

}  // namespace

bool goes_direct(const config::Settings& settings) {
  const auto names_direct = [](const deliver::RouteSettings& route) {
    return std::ranges::any_of(route.ways, [](const std::string& way) { return iequals(way, deliver::kDirectWay); });
  };
  const bool by_default = settings.deliver.relays.empty() && settings.deliver.direct.enabled;
  return by_default || std::ranges::any_of(settings.deliver.routes, names_direct);
}

bool goes_direct_from_here(const config::Settings& settings) {
  return goes_direct(settings) && settings.deliver.direct.proxy.host.empty();
}

std::vector<Sender> senders_by(const config::Loaded& loaded, const deliver::RelaySettings& relay) {
  std::vector<Sender> all = senders_of(loaded, Routing(loaded.settings), relay);
  if (all.size() > kMostSenders) all.resize(kMostSenders);
  return all;
}

std::vector<doctor::DomainLook> domains_in_use(const config::Loaded& loaded, const std::vector<std::string>& own) {
  const config::Settings& settings = loaded.settings;
  const Routing routing(settings);
  std::vector<doctor::DomainLook> looks;
  auto note = [&](const Sender& sender, const doctor::DomainWay& way) {
    doctor::DomainLook look = look_of(settings, sender);
    auto at = std::ranges::find(looks, look.domain, &doctor::DomainLook::domain);
    if (at == looks.end()) {
      if (looks.size() >= kMostSenders) return;
      at = looks.insert(looks.end(), std::move(look));
    }
    at->guessed = at->guessed && sender.guessed;
    if (std::ranges::find(at->ways, way.name, &doctor::DomainWay::name) == at->ways.end()) at->ways.push_back(way);
  };
  for (const deliver::RelaySettings& relay : settings.deliver.relays) {
    if (is_program(relay)) continue;
    const bool as_account = routing.uses_account(relay);
    for (const Sender& sender : senders_of(loaded, routing, relay)) {
      if (as_account || !iequals(sender.address, relay.address)) note(sender, {relay.name, relay.host, {}});
    }
  }
  if (goes_direct_from_here(settings)) {
    for (const Sender& sender : leaving_by(loaded, routing, deliver::kDirectWay, settings.deliver.rewrite.get()))
      note(sender, {deliver::kDirectWay, {}, own});
  }
  return looks;
}

std::vector<doctor::DomainLook> domains_of(const config::Loaded& loaded, const deliver::RelaySettings& relay,
                                           const std::string& address) {
  std::vector<Sender> senders;
  add(senders, address, "--from");
  if (senders.empty() || is_program(relay)) return {};
  doctor::DomainLook look = look_of(loaded.settings, senders.front());
  look.ways = {{relay.name, relay.host, {}}};
  return {std::move(look)};
}

}  // namespace sidegate::cli
