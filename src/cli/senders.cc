#include "cli/senders.h"

#include <algorithm>

#include "base/text.h"
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
  if (all.size() < kMostSenders) all.push_back({std::move(address), used_by, guessed});
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
  // Cron and other programs of this machine, whoever else sends.
  add(all, "root@" + settings.hostname, "hostname", true);
}

// What maps make of senders that stand nowhere else, as masquerading and generics then leave it.
void add_targets(const rewrite::Outgoing& rules, std::vector<Sender>& all) {
  rewrite::Outgoing after = rules;
  after.canonical = {};
  for (const rewrite::AddressMap* map : {&rules.canonical.all, &rules.canonical.sender}) {
    for (const rewrite::MapEntry& entry : map->entries())
      add(all, after.apply(entry.value, rewrite::AddressClass::kEnvelopeSender), "canonical_out");
  }
  for (const rewrite::MapEntry& entry : rules.generic.entries()) add(all, entry.value, "generic");
}

// As the rules (masquerading, generics) make of them; the account's own address they do not concern. What a rule has
// made of an address somebody wrote down, whatever it was made of.
std::vector<Sender> rewritten(const rewrite::Outgoing* rules, const std::vector<Sender>& all) {
  if (rules == nullptr || rules->empty()) return all;
  std::vector<Sender> out;
  add_targets(*rules, out);
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

}  // namespace

bool goes_direct(const config::Settings& settings) {
  const auto names_direct = [](const deliver::RouteSettings& route) {
    return std::ranges::any_of(route.ways, [](const std::string& way) { return iequals(way, deliver::kDirectWay); });
  };
  const bool by_default = settings.deliver.relays.empty() && settings.deliver.direct.enabled;
  return by_default || std::ranges::any_of(settings.deliver.routes, names_direct);
}

std::vector<Sender> senders_by(const config::Loaded& loaded, const deliver::RelaySettings& relay) {
  std::vector<Sender> account, all;
  add(account, relay.address, "relay " + relay.name);
  if (relay.identity == deliver::Identity::kAccount) return account;
  if (relay.identity == deliver::Identity::kAllowed) {
    for (const std::string& address : relay.allowed) add(account, address, "relay " + relay.name);
    return account;
  }
  add_everybody(loaded, all);
  const auto known = [&](const Sender& sender) {
    return std::ranges::any_of(account, [&](const Sender& s) { return iequals(s.domain(), sender.domain()); });
  };
  for (const Sender& sender : rewritten(rules_of(loaded.settings, relay), all))
    if (!sender.guessed || !known(sender)) add(account, sender.address, sender.used_by, sender.guessed);
  return account;
}

std::vector<doctor::DomainLook> domains_in_use(const config::Loaded& loaded, const std::vector<std::string>& own) {
  const config::Settings& settings = loaded.settings;
  std::vector<doctor::DomainLook> looks;
  auto note = [&](const Sender& sender, const doctor::DomainWay& way) {
    const auto ascii = mail::to_ascii(sender.domain());  // as its records are written
    const std::string domain = lower(ascii ? *ascii : sender.domain());
    auto at = std::ranges::find(looks, domain, &doctor::DomainLook::domain);
    if (at == looks.end()) {
      if (looks.size() >= kMostSenders) return;
      doctor::DomainLook look{
          domain, sender.used_by, sender.address, sender.guessed, {}, keys_for(settings, domain), settings.hostname};
      look.patience = settings.doctor.patience;
      at = looks.insert(looks.end(), std::move(look));
    }
    at->guessed = at->guessed && sender.guessed;
    at->ways.push_back(way);
  };
  for (const deliver::RelaySettings& relay : settings.deliver.relays) {
    if (relay.host.starts_with('/')) continue;
    std::vector<std::string> seen;
    for (const Sender& sender : senders_by(loaded, relay)) {
      if (std::ranges::find(seen, lower(sender.domain())) != seen.end()) continue;
      seen.push_back(lower(sender.domain()));
      note(sender, {relay.name, relay.host, {}});
    }
  }
  if (goes_direct(settings)) {
    std::vector<Sender> all;
    add_everybody(loaded, all);
    std::vector<std::string> seen;
    for (const Sender& sender : rewritten(settings.deliver.rewrite.get(), all)) {
      if (std::ranges::find(seen, lower(sender.domain())) != seen.end()) continue;
      seen.push_back(lower(sender.domain()));
      note(sender, {deliver::kDirectWay, {}, own});
    }
  }
  return looks;
}

}  // namespace sidegate::cli
