#include <algorithm>

#include "base/text.h"
#include "daemon/server_parts.h"
#include "deliver/guise.h"
#include "deliver/public_address.h"
#include "deliver/sender_story.h"

namespace sidegate::daemon {

std::shared_ptr<const intake::ListenerPolicy> submit_policy(config::Settings settings) {
  if (settings.submit.socket.empty()) settings.submit.socket = "/";
  auto policy = intake::ListenerPolicy::make(settings.all_listeners().back());
  return policy ? *policy : nullptr;
}

// Mail of a suspended user goes by a way of its own, which takes none: it waits there whatever the lifetime, and goes
// on by the usual ways when classes are routed anew.
queue::Scheduler::Router Server::Parts::router() const {
  auto suspended = intake ? intake->users.suspended() : nullptr;
  if (!suspended || suspended->empty())
    return [table = ways](const queue::ClassKey& key) { return table->table.ways(key); };
  return [table = ways, suspended, halt = static_cast<queue::WayId>(ways->list.size())](const queue::ClassKey& key) {
    if (std::ranges::binary_search(*suspended, lower(key.user))) return queue::Route{halt};
    return queue::Route(table->table.ways(key));
  };
}

admin::SenderRule Server::Parts::sender_rule() const {
  return [table = ways](const std::string& way, const std::string& sender) {
    for (const auto& one : table->list) {
      if (!one->retired && one->settings.name == way)
        return deliver::rule_for_refused_sender(one->settings, table->settings, sender);
    }
    return std::string();
  };
}

void Server::Parts::route_anew() {
  std::vector<queue::WayLimits> limits = ways->limits();
  limits.push_back({admin::kSuspendedWay, 0});
  scheduler.set_ways(std::move(limits), router());
}

void Server::Parts::set_ways(const config::Settings& from) {
  deliver::DeliverSettings deliver = from.deliver;
  if (deliver.srs.secrets.empty()) deliver.srs.secrets = {srs_secret};
  if (intake) set_relay_domains(from);
  if (intake) intake->return_addresses.set(std::make_shared<const rewrite::SrsKeys>(deliver.srs));
  if (intake) set_rewriting(from);
  if (deliver.hostname.empty()) deliver.hostname = from.hostname;
  deliver.log_tls = from.log.tls;
  deliver.recipient_delimiter = from.alias.recipient_delimiter;
  sts.set_ca(deliver.direct.tls_ca_pem);
  sts.set_allowed([direct = deliver.direct](const std::string& address) { return leads_to_internet(direct, address); });
  ways = deliver::Ways::make(std::move(deliver), ways.get());
  sizes->give(*ways);
  if (intake) set_entry_routes();
  // Couriers first: a wake for a new way must find it.
  for (auto& courier : couriers) courier->set_ways(ways);
  route_anew();
  scheduler.set_sizes(ways->largest(), ways->smallest());
}

// What is done to mail as it comes in: canonical maps, and the hashes that signatures will need.
void Server::Parts::set_rewriting(const config::Settings& from) {
  const dkim::Signers* keys = from.deliver.dkim.get();
  intake->canonical.set(from.incoming);
  intake->hash_simple = keys && keys->uses(dkim::Form::kSimple);
  intake->hash_relaxed = keys && keys->uses(dkim::Form::kRelaxed);
  intake->mends = from.incoming || keys || deliver::rewrites_headers(from.deliver);
}

void Server::Parts::set_entry_routes() {
  intake::EntryRoutes routes;
  routes.most_octets = [w = ways](const queue::ClassKey& key) { return w->most_octets(key); };
  if (ways->decides_at_entry()) routes.decision = [w = ways](const queue::ClassKey& key) { return w->at_entry(key); };
  intake->entry_routes.set(std::make_shared<const intake::EntryRoutes>(std::move(routes)));
}

void Server::Parts::set_relay_domains(const config::Settings& from) {
  intake->relay_domains.set(
      std::make_shared<const intake::RelayDomains>(from.relay_recipients, from.alias.recipient_delimiter));
}

// Both were looked at when the configuration was read: what cannot be used here is not in it.
void Server::Parts::set_screening(const config::Settings& from) {
  [[maybe_unused]] Status set = intake->rates.set(from.client_rates);
  if (from.blocklists == asked_lists) return;  // they keep what they know of each
  asked_lists = from.blocklists;
  std::vector<screen::BlockList> lists;
  for (const screen::BlockListSettings& block : from.blocklists) {
    auto list = screen::BlockList::make(block);
    if (list && list->action != screen::Action::kOff) lists.push_back(std::move(*list));
  }
  std::shared_ptr<screen::BlockLists> all;
  if (!lists.empty()) all = std::make_shared<screen::BlockLists>(std::move(lists), clock, log);
  intake->block_lists.set(std::move(all));
}

void Server::Parts::set_users(const config::Settings& from) {
  intake->users.set(from.users);
}

// Against what the process began with: a reload brings none of these keys into force, so that stays what runs.
std::vector<std::string> Server::Parts::pending_restart() const {
  return config::needs_restart(started, loaded.settings);
}

Result<std::vector<std::string>> Server::reload(config::Loaded loaded) {
  Parts& p = *parts_;
  std::vector<std::shared_ptr<const intake::ListenerPolicy>> policies;
  const std::vector<intake::ListenerSettings> listeners = loaded.settings.all_listeners();
  for (const intake::ListenerSettings& listener : listeners) {
    auto policy = intake::ListenerPolicy::make(listener);
    if (!policy) return std::unexpected(policy.error());
    policies.push_back(std::move(*policy));
  }
  std::lock_guard lock(p.reload_mutex);
  auto contexts = p.certificates.contexts_for(listeners);
  if (!contexts) return std::unexpected(contexts.error());
  p.certificates.look();
  // Sockets stay as they were bound at start: a listener is known by its address and port.
  for (std::size_t i = 0; i < p.bound.size(); ++i) {
    auto same = std::ranges::find_if(policies, [&](const auto& policy) {
      return net::Endpoint{policy->settings.address, policy->settings.port} == p.bound[i];
    });
    if (same == policies.end()) continue;
    for (std::size_t loop = 0; loop < p.loops.size(); ++loop) {
      intake::Service* service = p.services[i * p.loops.size() + loop].get();
      p.loops[loop].post(
          [service, policy = *same, tls = (*contexts)[static_cast<std::size_t>(same - policies.begin())]] {
            service->set_policy(policy, tls);
          });
    }
  }
  p.alias_files.set_settings(loaded.settings.alias);
  p.logins->set(loaded.settings.auth);
  p.set_ways(loaded.settings);
  p.intake->admission.set_limits(loaded.settings.admission);
  p.intake->log_connections = loaded.settings.log.connections;
  p.intake->log_tls = loaded.settings.log.tls != config::LogTls::kNone;
  p.set_users(loaded.settings);
  p.set_screening(loaded.settings);
  if (p.pickup) {
    p.loops[0].post([pickup = p.pickup.get(), policy = submit_policy(loaded.settings)] { pickup->set_policy(policy); });
  }
  std::vector<std::string> filters;
  for (const config::MilterBlock& block : loaded.settings.milters) filters.push_back(block.name);
  p.intake->filter_health.keep_only(filters);
  if (p.commands)
    p.loops[0].post([commands = p.commands.get(), router = p.router(), rule = p.sender_rule()] {
      commands->set_router(router, rule);
    });
  p.loaded = std::move(loaded);
  return p.pending_restart();
}

}  // namespace sidegate::daemon
