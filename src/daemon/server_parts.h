// What a server is made of: every room's objects, each loop's, and how they are wired. For server*.cc alone:
//   server_parts.cc      makes them, in order
//   server_settings.cc   what a configuration says, at the start and at each reload
//   server_hooks.cc      what one room asks of another through us
//   server_status.cc     what `status` and the control socket see
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "admin/commands.h"
#include "admin/control_server.h"
#include "daemon/certificates.h"
#include "daemon/queue_loader.h"
#include "daemon/server.h"
#include "deliver/courier.h"
#include "deliver/relay_sizes.h"
#include "deliver/tls_ledger.h"
#include "dns/resolver.h"
#include "helper/client.h"
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

namespace sidegate::daemon {

// What programs dropped goes in as if it came on the submit socket, with or without one.
std::shared_ptr<const intake::ListenerPolicy> submit_policy(config::Settings settings);

// In the order in which they are made; taken down in reverse, the loops having stopped before.
struct Server::Parts {
  static constexpr unsigned kWorkers = 2;

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
        started(l.settings),
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
  const config::Settings started;   // what runs of the keys that need a restart
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
  queue::Scheduler::Router router() const;
  admin::SenderRule sender_rule() const;
  void route_anew();
  std::vector<std::string> pending_restart() const;  // keys whose value of now only a restart brings into force

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
  std::vector<std::string> warnings(std::vector<std::string> texts) const;  // behind those of the start
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

}  // namespace sidegate::daemon
