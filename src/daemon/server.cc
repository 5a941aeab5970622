#include "daemon/server.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <set>
#include <thread>

#include "admin/commands.h"
#include "admin/control_server.h"
#include "base/text.h"
#include "daemon/certificates.h"
#include "daemon/kept_secret.h"
#include "daemon/queue_loader.h"
#include "deliver/call_forward.h"
#include "deliver/courier.h"
#include "deliver/guise.h"
#include "deliver/public_address.h"
#include "deliver/relay_sizes.h"
#include "deliver/sender_story.h"
#include "deliver/tls_ledger.h"
#include "dns/resolver.h"
#include "helper/client.h"
#include "intake/notice.h"
#include "intake/pickup.h"
#include "intake/recipients.h"
#include "intake/service.h"
#include "intake/system_sources.h"
#include "login/authenticator.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/worker_pool.h"
#include "queue/content_cache.h"
#include "queue/poison.h"
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
constexpr unsigned kWorkers = 2;
constexpr unsigned kInHand = 4096;  // messages that can be listed as in hand; more than that are not listed

// Waits, on the main thread, for things that end on other threads.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  void one() {
    std::lock_guard lock(mutex_);
    if (--left_ == 0) done_.notify_all();
  }
  bool wait(Duration limit) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, limit, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t left_;
};

// What programs dropped goes in as if it came on the submit socket, with or without one.
std::shared_ptr<const intake::ListenerPolicy> submit_policy(config::Settings settings) {
  if (settings.submit.socket.empty()) settings.submit.socket = "/";
  auto policy = intake::ListenerPolicy::make(settings.all_listeners().back());
  return policy ? *policy : nullptr;
}

net::Awaitable<void> stop_courier(deliver::Courier* courier, Duration patience, std::shared_ptr<Countdown> stopped) {
  co_await courier->stop(patience);
  stopped->one();
}

}  // namespace

// In the order in which they are made; taken down in reverse, the loops having stopped before.
struct Server::Parts {
  Parts(config::Loaded l, unsigned threads, Log& destination)
      : log(destination),
        alias_files(destination),
        alias_sources(geteuid(), destination),
        recipients(alias_workers, alias_files, alias_sources, destination),
        loops(threads, clock, log),
        workers(kWorkers),
        alias_workers(kWorkers),
        resolver(l.settings.dns, clock),
        sts(resolver, clock, log),
        scheduler(l.settings.schedule, clock, threads),
        cache(l.settings.store.content_cache),
        ids(clock),
        certificates(l.settings.store.path, clock, log),
        loaded(std::move(l)) {}

  Clock& clock = system_clock();
  Log& log;
  std::unique_ptr<queue::PoisonFile> poison;  // before the loops, whose coroutines leave their slots when they go
  // Before the workers, who finish what they have begun when they go.
  intake::AliasFiles alias_files;
  intake::SystemSources alias_sources;
  intake::Recipients recipients;
  std::atomic<unsigned> asking{0};  // servers behind relay domains; before the loops, as poison is
  net::Loops loops;
  net::WorkerPool workers;
  net::WorkerPool alias_workers;  // apart: a directory server that hangs delays no delivery
  dns::Resolver resolver;
  mta_sts::Policies sts;
  screen::ResolverAsker asker{resolver};
  std::vector<screen::BlockListSettings> asked_lists;
  std::unique_ptr<helper::Client> helper;
  std::unique_ptr<login::Authenticator> logins;
  queue::Scheduler scheduler;
  queue::ContentCache cache;
  QueueIdSource ids;
  Certificates certificates;
  mutable std::mutex reload_mutex;  // over loaded and ways, which only start and reload change
  config::Loaded loaded;
  std::shared_ptr<const deliver::Ways> ways;
  std::unique_ptr<queue::Store> store;
  std::unique_ptr<queue::Ledger> ledger;
  std::unique_ptr<deliver::RelaySizes> sizes;
  std::unique_ptr<deliver::TlsLedger> tls;
  std::string srs_secret;  // the one we made, for a configuration that gives none
  std::unique_ptr<intake::IntakeContext> intake;
  std::vector<std::unique_ptr<deliver::Courier>> couriers;  // one a loop
  std::vector<std::unique_ptr<intake::Service>> services;   // one a listener and loop: index = listener * loops + loop
  std::vector<net::Endpoint> bound;                         // of the listeners, as configured
  std::vector<std::unique_ptr<net::Acceptor>> acceptors;
  std::unique_ptr<intake::Pickup> pickup;
  std::unique_ptr<admin::Commands> commands;
  std::unique_ptr<admin::ControlServer> control;
  std::unique_ptr<QueueLoader> loader;
  std::set<std::string> not_told;               // of whose suspensions; a line said so
  bool telling = false, tells_no_more = false;  // the postmaster; on loop 0, as what follows
  std::function<void()> told;
  bool drained = false;

  // Mail of a suspended user goes by a way of its own, which takes none: it waits there whatever the lifetime, and goes
  // on by the usual ways when classes are routed anew.
  queue::Scheduler::Router router() const {
    auto suspended = intake ? intake->users.suspended() : nullptr;
    if (!suspended || suspended->empty())
      return [table = ways](const queue::ClassKey& key) { return table->table.ways(key); };
    return [table = ways, suspended, halt = static_cast<queue::WayId>(ways->list.size())](const queue::ClassKey& key) {
      if (std::ranges::binary_search(*suspended, lower(key.user))) return queue::Route{halt};
      return queue::Route(table->table.ways(key));
    };
  }
  admin::SenderRule sender_rule() const {
    return [table = ways](const std::string& way, const std::string& sender) {
      for (const auto& one : table->list) {
        if (!one->retired && one->settings.name == way) return deliver::rule_for_refused_sender(one->settings, sender);
      }
      return std::string();
    };
  }
  void route_anew() {
    std::vector<queue::WayLimits> limits = ways->limits();
    limits.push_back({admin::kSuspendedWay, 0});
    scheduler.set_ways(std::move(limits), router());
  }
  Status open_queue();
  void keep_srs_secret();
  void make_logins();
  void ask_helper_for_users();
  void read_aliases();
  void make_control(int descriptor, About about, std::function<Result<std::vector<std::string>>()> reload);
  void make_couriers();
  void look_at_policies();
  Status serve(std::vector<BoundListener> listeners);
  Status load_users();
  void set_users(const config::Settings& from);
  net::Awaitable<void> tell_postmaster();
  void make_pickup();
  std::vector<admin::CertificateRow> certificate_rows() const;
  void add_dnssec_warning(std::vector<std::string>& texts) const;
  void set_ways(const config::Settings& from);
  void set_entry_routes();
  void set_relay_domains(const config::Settings& from);
  void set_rewriting(const config::Settings& from);
  void set_screening(const config::Settings& from);
  net::Awaitable<intake::Known> call_forward(unsigned loop, std::string domain, std::string address);
  net::Awaitable<Result<std::unique_ptr<net::Stream>>> dial_filter(unsigned loop, milter::Address to, Duration timeout);
  std::vector<admin::FilterRow> filter_rows() const;
};

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
  scheduler.set_largest(ways->largest());
}

// What is done to mail as it comes in: canonical maps, and the hashes that signatures will need.
void Server::Parts::set_rewriting(const config::Settings& from) {
  const dkim::Signers* keys = from.deliver.dkim.get();
  intake->canonical.set(from.incoming);
  intake->hash_simple = keys && keys->uses(dkim::Form::kSimple);
  intake->hash_relaxed = keys && keys->uses(dkim::Form::kRelaxed);
  intake->mends = from.incoming || keys || deliver::rewrites_headers(from.deliver);
}

// Nothing is asked where no route refuses or holds.
void Server::Parts::set_entry_routes() {
  if (!ways->decides_at_entry()) return intake->entry_routes.set(nullptr);
  intake->entry_routes.set(
      std::make_shared<const intake::EntryRoutes>([w = ways](const queue::ClassKey& key) { return w->at_entry(key); }));
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

// What the server behind a relay domain says, in intake's words.
net::Awaitable<intake::Known> Server::Parts::call_forward(unsigned loop, std::string domain, std::string address) {
  constexpr unsigned kMost = 50;  // at a time: who guesses names does not open a connection for each
  if (asking.fetch_add(1) >= kMost) {
    --asking;
    co_return intake::Known::kCannotTell;
  }
  struct Done {
    std::atomic<unsigned>& count;
    ~Done() { --count; }
  } done{asking};
  std::shared_ptr<const deliver::Ways> now;
  {
    std::lock_guard lock(reload_mutex);
    now = ways;
  }
  auto answer =
      co_await deliver::ask_about(loops[loop], resolver, std::move(now), std::move(domain), std::move(address));
  co_return answer == deliver::RecipientAnswer::kTakes ? intake::Known::kExists
  : answer == deliver::RecipientAnswer::kRefuses       ? intake::Known::kUnknown
                                                       : intake::Known::kCannotTell;
}

// A filter's name is looked up for each connection; the resolver keeps what it has learnt.
net::Awaitable<Result<std::unique_ptr<net::Stream>>> Server::Parts::dial_filter(unsigned loop, milter::Address to,
                                                                                Duration timeout) {
  std::vector<net::Endpoint> places;
  if (!to.path.empty()) {
    places.push_back({to.path, 0});
  } else {
    auto found = co_await resolver.addresses(loops[loop], to.host);
    if (!found) co_return std::unexpected(found.error());
    for (std::string& address : found->list) places.push_back({std::move(address), to.port});
  }
  co_return co_await milter::connect_one_of(loops[loop], std::move(places), timeout);
}

std::vector<admin::FilterRow> Server::Parts::filter_rows() const {
  std::lock_guard lock(reload_mutex);
  std::vector<admin::FilterRow> rows;
  const std::vector<milter::Health::Row> down = intake->filter_health.down();
  for (const config::MilterBlock& block : loaded.settings.milters) {
    admin::FilterRow& row = rows.emplace_back(admin::FilterRow{.name = block.name, .address = block.address});
    auto bad = std::ranges::find(down, block.name, &milter::Health::Row::name);
    if (bad == down.end()) continue;
    row.up = false;
    row.reason = bad->reason;
    row.since = bad->since;
    row.failures = bad->times;
    row.then = block.failure == milter::OnFailure::kTempfail ? "tempfail"
               : block.failure == milter::OnFailure::kAccept ? "accept"
                                                             : "quarantine";
  }
  return rows;
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

void Server::Parts::set_users(const config::Settings& from) {
  intake->users.set(from.users);
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

net::Awaitable<void> Server::Parts::tell_postmaster() {
  telling = true;
  struct Done {
    Parts& parts;
    ~Done() {
      parts.telling = false;
      if (parts.told) parts.told();
    }
  } done{*this};
  config::Settings now;
  {
    std::lock_guard lock(reload_mutex);
    now = loaded.settings;
  }
  auto policy = submit_policy(now);
  if (!policy) co_return;
  const std::string configured = now.deliver.postmaster;
  const std::string to = configured.empty() ? "postmaster@" + now.hostname : configured;
  for (const auto& [user, stop] : intake->users.untold()) {
    intake::Notice notice = intake::suspension_notice(to, user, stop, now.hostname);
    Status posted = co_await intake::post_notice(*intake, policy, 0, std::move(notice));
    // Nobody takes it there: the log and `status` say it. Anything else may go better in a while, and is said once.
    if (!posted && not_told.insert(user).second)
      log.error("postmaster_not_told", {{"user", user}, {"to", to}, {"error", posted.error().text}});
    if (posted) not_told.erase(user);
    if (posted || posted.error().kind == ErrorKind::kNotFound) intake->users.told(user);
  }
}

void Server::Parts::make_pickup() {
  const std::string& folder = loaded.settings.submit.drop_directory;
  auto policy = submit_policy(loaded.settings);
  if (folder.empty() || !policy) return;
  pickup = std::make_unique<intake::Pickup>(loops[0], *intake, workers, folder, std::move(policy));
  pickup->give_up_after(loaded.settings.schedule.lifetime);
  pickup->start();
}

// What rests on DNSSEC and is done without, or waits. Of use only where mail goes to mail servers directly.
void Server::Parts::add_dnssec_warning(std::vector<std::string>& texts) const {
  using deliver::TlsLevel;
  const deliver::DirectSettings& direct = loaded.settings.deliver.direct;
  const auto validating = resolver.validating();
  if (!ways || !ways->direct_used || !validating || validating->state == dns::Validates::kYes) return;
  const bool waits = direct.tls == TlsLevel::kDaneOnly ||
                     std::ranges::any_of(direct.tls_rules, [](const auto& r) { return r.level == TlsLevel::kDaneOnly; });
  texts.push_back(fmt::format("DNSSEC cannot be validated here ({}): {}", validating->why,
                              validating->state == dns::Validates::kNotNow ? "mail to domains with TLS level dane waits"
                              : waits ? "TLS level dane is as may, and mail with dane-only waits"
                                      : "TLS level dane is as may"));
}

std::vector<admin::CertificateRow> Server::Parts::certificate_rows() const {
  std::vector<admin::CertificateRow> out;
  for (Certificates::Row& row : certificates.rows())
    out.push_back({row.facts.file, row.facts.names, row.facts.key, row.days_left, row.facts.self_signed});
  return out;
}

void Server::Parts::make_control(int descriptor, About about,
                                 std::function<Result<std::vector<std::string>>()> reload) {
  if (descriptor < 0) return;
  commands = std::make_unique<admin::Commands>(admin::Parts{.loop = loops[0],
                                                            .pool = workers,
                                                            .store = *store,
                                                            .scheduler = scheduler,
                                                            .router = router(),
                                                            .reload = std::move(reload),
                                                            .warnings =
                                                                [this, off = std::move(about.off)] {
                                                                  std::lock_guard lock(reload_mutex);
                                                                  std::vector<std::string> texts = off;
                                                                  for (const config::Problem& warning : loaded.warnings)
                                                                    texts.push_back(warning.text());
                                                                  for (std::string& text : certificates.warnings())
                                                                    texts.push_back(std::move(text));
                                                                  add_dnssec_warning(texts);
                                                                  return texts;
                                                                },
                                                            .version = std::move(about.version),
                                                            .sandbox = std::move(about.sandbox),
                                                            .config_path = loaded.path,
                                                            .certificates = [this] { return certificate_rows(); },
                                                            .filters = [this] { return filter_rows(); }});
  commands->set_tls([this](std::string domain) { return sts.explain(loops[0], std::move(domain)); },
                    [this](const std::string& domain) { return tls->counters().days(domain); });
  control = std::make_unique<admin::ControlServer>(loops[0], descriptor, *commands);
  control->start();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() {
  if (!parts_) return;
  if (!parts_->drained) drain(Duration(0));
}

Result<std::unique_ptr<Server>> Server::start(config::Loaded loaded, std::vector<BoundListener> listeners,
                                              int control_descriptor, int helper_descriptor, About about, Log& log,
                                              std::function<Result<std::vector<std::string>>()> reload) {
  unsigned threads = static_cast<unsigned>(listeners.front().descriptors.size());
  auto parts = std::make_unique<Parts>(std::move(loaded), threads, log);
  parts->helper = std::make_unique<helper::Client>(helper_descriptor);
  if (std::string off = parts->helper->what_is_off(); !off.empty()) about.off.push_back(std::move(off));
  if (Status opened = parts->open_queue(); !opened) return std::unexpected(opened.error());
  parts->keep_srs_secret();
  parts->make_logins();
  parts->ask_helper_for_users();
  parts->read_aliases();
  parts->make_couriers();
  for (const BoundListener& listener : listeners) {
    net::Endpoint at{listener.policy->settings.address, net::bound_port(listener.descriptors.front())};
    log.info("listening", {{"listener", listener.policy->settings.name}, {"address", at.text()}});
  }
  parts->make_control(control_descriptor, std::move(about), std::move(reload));
  if (Status serving = parts->serve(std::move(listeners)); !serving) return std::unexpected(serving.error());
  parts->make_pickup();
  parts->loader =
      std::make_unique<QueueLoader>(*parts->store, parts->scheduler, parts->poison.get(), log, parts->clock, threads);
  parts->loader->start();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
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
  std::vector<std::string> restart = config::needs_restart(p.loaded.settings, loaded.settings);
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
  return restart;
}

void Server::when_all_have_had_a_turn(std::function<void()> then) {
  struct Turns {
    std::atomic<std::size_t> left;
    std::function<void()> then;
  };
  auto turns = std::make_shared<Turns>(parts_->loops.size(), std::move(then));
  for (std::size_t i = 0; i < parts_->loops.size(); ++i) {
    parts_->loops[i].post([turns] {
      if (turns->left.fetch_sub(1) == 1) turns->then();
    });
  }
}

std::string Server::status_line() const {
  const queue::Totals totals = parts_->scheduler.totals();
  std::string text = fmt::format("serving; {} in the queue", totals.messages);
  if (totals.active != 0) text += fmt::format(", {} being delivered", totals.active);
  if (totals.held != 0) text += fmt::format(", {} held", totals.held);
  return text;
}

bool Server::drain(Duration limit) {
  Parts& p = *parts_;
  p.drained = true;
  if (p.control) p.control->stop();
  for (auto& acceptor : p.acceptors) acceptor->stop();
  auto stopped = std::make_shared<Countdown>(p.services.size() + p.couriers.size() + (p.pickup ? 1 : 0) + 1);
  p.loops[0].post([&p, stopped] {
    p.tells_no_more = true;
    p.telling ? void(p.told = [stopped] { stopped->one(); }) : stopped->one();
  });
  if (p.pickup) {
    p.loops[0].post([&p, stopped] { p.pickup->stop([stopped] { stopped->one(); }); });
  }
  for (std::size_t i = 0; i < p.services.size(); ++i) {
    net::Loop& loop = p.loops[i % p.loops.size()];
    intake::Service* service = p.services[i].get();
    loop.post([service, stopped] { service->shut_down(false, [stopped] { stopped->one(); }); });
  }
  for (std::size_t i = 0; i < p.couriers.size(); ++i) {
    p.loops[i].spawn("stopping a courier", stop_courier(p.couriers[i].get(), limit, stopped));
  }
  bool all = stopped->wait(limit);
  if (!all) {
    for (std::size_t i = 0; i < p.services.size(); ++i) {
      intake::Service* service = p.services[i].get();
      p.loops[i % p.loops.size()].post([service] { service->shut_down(true); });
    }
    all = stopped->wait(Duration(5000));
  }
  p.loader.reset();
  p.loops.stop_and_join();
  p.acceptors.clear();
  p.pickup.reset();
  if (p.poison) p.poison->end();
  if (p.ledger) p.ledger->finish();
  if (p.tls) p.tls->finish();
  p.store.reset();  // finishes and syncs what it was given
  return all;
}

}  // namespace sidegate::daemon
