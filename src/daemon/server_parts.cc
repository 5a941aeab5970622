#include "daemon/server_parts.h"

#include "daemon/kept_secret.h"
#include "queue/rocksdb_store.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kSchedulerTick{250};
constexpr Duration kLookAtAliases{1000};
constexpr Duration kLookAtCertificates{3600'000};
constexpr Duration kTellPostmaster{5000};
constexpr Duration kForgetUsers{3600'000};
constexpr Duration kWriteLedger{1000};
constexpr Duration kLookAtPolicies{600'000};
constexpr unsigned kInHand = 4096;  // messages that can be listed as in hand; more than that are not listed

}  // namespace

Status Server::Parts::open_queue() {
  auto opened = queue::open_rocksdb_store(loaded.settings.store, clock, log);
  if (!opened) return std::unexpected(opened.error());
  store = std::move(*opened);
  ids.after(store->highest_id());
  Result<std::vector<queue::ClassRow>> classes = store->classes();
  if (!classes) return std::unexpected(classes.error());
  scheduler.restore_classes(std::move(*classes));
  ledger = std::make_unique<queue::Ledger>(scheduler, *store);
  if (Status read = ledger->load(clock.wall()); !read) return read;
  sizes = std::make_unique<deliver::RelaySizes>(*store);
  if (Status read = sizes->load(); !read) return read;
  tls = std::make_unique<deliver::TlsLedger>(sts, *store, loops[0]);
  if (Status read = tls->load(clock.wall()); !read) return read;
  auto listed = queue::PoisonFile::open(loaded.settings.store.path + "/poison", kInHand);
  if (!listed) {  // a full disk, say: mail goes on, only a crash would not be traced
    log.warning("start", {{"warning", listed.error().text + ": a crash will not be traced to its message"}});
    return {};
  }
  poison = std::move(*listed);
  return {};
}

void Server::Parts::keep_srs_secret() {
  auto kept = kept_secret(loaded.settings.store.path + "/srs_secret");
  srs_secret = kept ? *kept : fresh_secret();
  if (kept) return;
  log.warning("start",
              {{"warning", kept.error().text + ": return addresses made now will not be known after a restart"}});
}

// Unknown users' salts must be the same after a restart, or a restart tells who is known (RFC 5802 section 9).
void Server::Parts::make_logins() {
  auto kept = kept_secret(loaded.settings.store.path + "/auth_secret");
  logins = std::make_unique<login::Authenticator>(loaded.settings.auth, helper.get(), kept ? *kept : fresh_secret(),
                                                  clock, log);
}

// This process reads no home folder: users and their ~/.forward are asked of the helper.
void Server::Parts::ask_helper_for_users() {
  alias_sources.set_users([this](const std::string& name) -> Result<std::optional<alias::User>> {
    auto user = helper->find_user(name);
    if (user) return alias::User{user->name, user->uid, user->home};
    if (user.error().kind == ErrorKind::kNotFound) return std::nullopt;
    return std::unexpected(user.error());
  });
  alias_sources.set_forwards(
      [this](const alias::User& user, const std::string& tag) -> Result<std::optional<std::string>> {
        auto text = helper->read_forward(user.name, tag);
        if (text) return std::move(*text);
        if (text.error().kind == ErrorKind::kNotFound) return std::nullopt;
        return std::unexpected(text.error());
      });
}

// What is answered without a look at the files (nothing of ours) rests on what they said at most a second ago.
void Server::Parts::read_aliases() {
  alias_files.set_settings(loaded.settings.alias);
  loops[0].every(kLookAtAliases, [this] { alias_workers.post([this] { alias_files.look(); }); });
}

void Server::Parts::make_couriers() {
  for (std::size_t i = 0; i < loops.size(); ++i) {
    couriers.push_back(std::make_unique<deliver::Courier>(
        deliver::Parts{.loop = loops[i],
                       .scheduler = scheduler,
                       .store = *store,
                       .resolver = resolver,
                       .workers = workers,
                       .ids = ids,
                       .schedule = loaded.settings.schedule,
                       .cached = [this](QueueId id) { return cache.get(id); },
                       .forget = [this](QueueId id) { cache.drop(id); },
                       .helper = helper.get(),
                       .ledger = ledger.get(),
                       .poison = poison.get(),
                       .learnt_size = [this](const deliver::Way& way) { sizes->learn(way); },
                       .resolve = [this](std::string address) { return recipients.for_report(std::move(address)); },
                       .tls_hooks = {.published = tls.get(), .results = tls.get()}}));
  }
  scheduler.set_wake([this](unsigned loop, queue::WayId way) { couriers[loop]->kick(way); });
  set_ways(loaded.settings);
  loops[0].every(kWriteLedger, [this] {
    ledger->write();
    tls->write();
  });
  loops[0].every(kLookAtPolicies, [this] { look_at_policies(); });
  loops[0].every(kSchedulerTick, [this] {
    scheduler.tick();
    if (Duration jump = scheduler.take_jump(); jump != Duration(0))
      log.warning("clock_jumped", {{"seconds", jump.count() / 1000}});
  });
}

// MTA-STS policies are fetched again before they expire, and old days of TLS counters go.
void Server::Parts::look_at_policies() {
  tls->forget_old();
  bool asks = false;
  {
    std::lock_guard lock(reload_mutex);
    asks = loaded.settings.deliver.direct.mta_sts;
  }
  if (asks) sts.refresh(loops[0]);
}

Status Server::Parts::serve(std::vector<BoundListener> listeners) {
  std::vector<intake::ListenerSettings> settings;
  for (const BoundListener& listener : listeners) settings.push_back(listener.policy->settings);
  auto contexts = certificates.contexts_for(settings);
  if (!contexts) return std::unexpected(contexts.error());
  certificates.look();
  intake = std::make_unique<intake::IntakeContext>(*store, scheduler, ids, clock, log);
  intake->cache = &cache;
  intake->recipients = &recipients;
  intake->poison = poison.get();
  intake->admission.set_limits(loaded.settings.admission);
  intake->return_addresses.set(std::make_shared<const rewrite::SrsKeys>(ways->settings.srs));
  set_rewriting(loaded.settings);
  intake->log_connections = loaded.settings.log.connections;
  set_entry_routes();
  set_relay_domains(loaded.settings);
  intake->call_forward = [this](unsigned loop, std::string domain, std::string address) {
    return call_forward(loop, std::move(domain), std::move(address));
  };
  intake->dial_filter = [this](unsigned loop, milter::Address to, Duration timeout) {
    return dial_filter(loop, std::move(to), timeout);
  };
  intake->log_tls = loaded.settings.log.tls != config::LogTls::kNone;
  intake->workers = &workers;
  intake->authenticator = logins.get();
  if (Status users = load_users(); !users) return std::unexpected(users.error());
  intake->asker = &asker;
  set_screening(loaded.settings);
  intake->loop = [this](unsigned index) -> net::Loop& { return loops[index]; };
  for (std::size_t at = 0; at < listeners.size(); ++at) {
    BoundListener& listener = listeners[at];
    bound.push_back({listener.policy->settings.address, listener.policy->settings.port});
    for (std::size_t i = 0; i < loops.size(); ++i) {
      intake::Service* service =
          services.emplace_back(std::make_unique<intake::Service>(loops[i], *intake, listener.policy, (*contexts)[at]))
              .get();
      acceptors.push_back(std::make_unique<net::Acceptor>(
          loops[i], listener.descriptors[i],
          [service](std::unique_ptr<net::Stream> stream) { service->serve(std::move(stream)); }));
    }
  }
  loops[0].every(kLookAtCertificates, [this] { certificates.look(); });
  loops.start();
  for (auto& acceptor : acceptors) acceptor->start();
  return {};
}

// Before anybody is served, and before the schedule is loaded: mail of suspended users is not tried.
Status Server::Parts::load_users() {
  set_users(loaded.settings);
  if (Status read = intake->users.load(*store); !read) return read;
  route_anew();
  if (commands) commands->set_router(router(), sender_rule());
  if (commands) commands->set_users(&intake->users);
  intake->users.set_listener([this] {
    loops[0].post([this] {
      std::lock_guard lock(reload_mutex);
      route_anew();
      if (commands) commands->set_router(router(), sender_rule());
    });
  });
  loops[0].every(kForgetUsers, [this] { intake->users.forget_old(); });
  loops[0].every(kTellPostmaster, [this] {
    if (!telling && !tells_no_more && !intake->users.untold().empty())
      loops[0].spawn("notice to the postmaster", tell_postmaster());
  });
  return {};
}

void Server::Parts::make_pickup() {
  const std::string& folder = loaded.settings.submit.drop_directory;
  auto policy = submit_policy(loaded.settings);
  if (folder.empty() || !policy) return;
  pickup = std::make_unique<intake::Pickup>(loops[0], *intake, workers, folder, std::move(policy));
  pickup->give_up_after(loaded.settings.schedule.lifetime);
  pickup->start();
}

}  // namespace sidegate::daemon
