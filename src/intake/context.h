// What all sessions share. Everything in it outlives every session and is thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue_id.h"
#include "base/replaceable.h"
#include "intake/admission.h"
#include "intake/client_rates.h"
#include "intake/incoming.h"
#include "intake/known_owners.h"
#include "intake/relay_domains.h"
#include "intake/settings.h"
#include "intake/user_accounts.h"
#include "milter/dial.h"
#include "milter/health.h"
#include "net/worker_pool.h"
#include "queue/content_cache.h"
#include "queue/poison.h"
#include "queue/scheduler.h"
#include "queue/store.h"
#include "rewrite/rules.h"
#include "rewrite/srs.h"
#include "screen/asker.h"
#include "screen/blocklists.h"

namespace sidegate::smtp {
class Authenticator;
}

namespace sidegate::intake {

class Recipients;

struct IntakeContext {
  IntakeContext(queue::Store& s, queue::Scheduler& sch, QueueIdSource& i, Clock& c, Log& l)
      : store(s),
        scheduler(sch),
        ids(i),
        clock(c),
        log(l),
        known_recipients(c),
        known_owners(c),
        filter_health(c),
        users(c, l) {}

  queue::Store& store;
  queue::Scheduler& scheduler;
  QueueIdSource& ids;
  Clock& clock;
  Log& log;
  Admission admission;
  // Replaced by a reload, like all of their kind here; null: none.
  Replaceable<const rewrite::SrsKeys> return_addresses;  // how those of forwarded mail are known for ours
  Replaceable<const rewrite::Incoming> canonical;        // canonical maps as mail comes in
  Replaceable<const EntryRoutes> entry_routes;           // asked at RCPT and when a message is taken
  // The forms in which bodies of what may be signed are hashed as they come in.
  std::atomic<bool> hash_simple{false}, hash_relaxed{false};
  // Something rewrites or signs what who may relay sends: a header that is broken off is mended
  // (Incoming::mend_header).
  std::atomic<bool> mends{false};
  std::atomic<LogConnections> log_connections{LogConnections::kAll};
  std::atomic<bool> log_tls{true};  // a line for each handshake
  Replaceable<const RelayDomains> relay_domains;
  KnownRecipients known_recipients;  // of relay domains that are asked about
  KnownOwners known_owners;          // of addresses that are a user's by an alias
  CallForward call_forward;          // null: nobody can be asked
  // How a filter is reached from a loop; set where a listener has any.
  std::function<net::Awaitable<Result<std::unique_ptr<net::Stream>>>(unsigned loop, milter::Address to,
                                                                     Duration timeout)>
      dial_filter;
  milter::Health filter_health;
  UserAccounts users;
  Replaceable<screen::BlockLists> block_lists;  // of the [[blocklist]] blocks
  ClientRates rates;
  screen::Asker* asker = nullptr;                // about strangers; null: nobody is asked (tests)
  std::function<net::Loop&(unsigned)> loop;      // by index; set where asker is
  smtp::Authenticator* authenticator = nullptr;  // who verifies logins; null: AUTH is not offered
  net::WorkerPool* workers = nullptr;            // for what asks the system; null: asked where it stands (tests)
  // Lists what is in hand, so that a crash can be traced to its message; null: nothing is listed.
  queue::PoisonFile* poison = nullptr;
  // Whole fresh messages for their first attempt; nullptr: every one is read back from the store.
  queue::ContentCache* cache = nullptr;
  // Aliases, the virtual map, users of this machine; null: nothing is local, everything is relayed as it stands.
  Recipients* recipients = nullptr;
};

}  // namespace sidegate::intake
