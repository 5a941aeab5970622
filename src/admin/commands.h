// The operator's commands over the running server's store and scheduler. Reads go through the worker pool, changes
// through the commit thread; nothing blocks the loop.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "admin/control.h"
#include "admin/queue_rows.h"
#include "intake/user_accounts.h"
#include "mta_sts/policies.h"
#include "net/loop.h"
#include "net/worker_pool.h"
#include "queue/scheduler.h"
#include "queue/store.h"
#include "tlsrpt/counters.h"

namespace sidegate::admin {

struct CertificateRow {  // of the listeners, for `status`
  std::string file;
  std::vector<std::string> names;
  std::string key;
  int days_left = 0;
  bool self_signed = false;
};

struct FilterRow {  // a milter, for `status`
  std::string name, address;
  bool up = true;  // as far as the last message has shown
  std::string reason = {};
  WallTime since = {};
  std::uint64_t failures = 0;
  std::string then = {};  // what becomes of mail meanwhile: "tempfail", "accept", "quarantine"
};

// What the commands work on; everything outlives them.
struct Parts {
  net::Loop& loop;  // where the control server runs
  net::WorkerPool& pool;
  queue::Store& store;
  queue::Scheduler& scheduler;
  queue::Scheduler::Router router;  // the one the scheduler has; called on the loop
  std::function<Result<std::vector<std::string>>()>
      reload;                                          // on the pool: keys that need a restart, or the errors as text
  std::function<std::vector<std::string>()> warnings;  // of the configuration in force
  std::string version;
  std::string sandbox;  // what the server process has given up: "Landlock 4, seccomp"
  std::string config_path;
  std::function<std::vector<CertificateRow>()> certificates = {};  // null: none
  intake::UserAccounts* users = nullptr;                           // null: none are known
  std::function<std::vector<FilterRow>()> filters = {};            // null: none
  SenderRule sender_rule = {};  // by the ways in force, as the router; called on the loop
};

class Commands final : public Control {
 public:
  explicit Commands(Parts parts);
  net::Awaitable<Result<std::string>> handle(Request request, RowSink& rows) override;
  void set_router(queue::Scheduler::Router router, SenderRule rule = {}) {
    parts_.router = std::move(router);
    parts_.sender_rule = std::move(rule);
  }  // on the loop, after a reload
  void set_users(intake::UserAccounts* users) { parts_.users = users; }  // before it is asked
  // What other domains ask of TLS, found on the loop, and how sessions with them went. Before it is asked.
  using StsOf = std::function<net::Awaitable<mta_sts::Known>(std::string domain)>;
  using TlsDays = std::function<std::vector<tlsrpt::Day>(const std::string& domain)>;
  void set_tls(StsOf sts, TlsDays days) {
    sts_ = std::move(sts);
    tls_days_ = std::move(days);
  }

 private:
  using Page = Result<std::vector<queue::ListRow>>;
  struct Walk;  // a selection, message by message

  net::Awaitable<Result<std::string>> list(Request request, RowSink& rows);
  net::Awaitable<Result<std::string>> show(Request request, RowSink& rows);
  net::Awaitable<Result<std::string>> change(Request request, RowSink& rows);
  net::Awaitable<Result<std::string>> reload();
  net::Awaitable<Result<std::string>> list_users(RowSink& rows);
  net::Awaitable<Result<std::string>> show_sts(std::string domain);
  net::Awaitable<Result<std::string>> report_tls(std::string domain, RowSink& rows);
  Result<std::string> change_user(const Request& request);
  std::string status() const;

  net::Awaitable<Page> next_page(Walk& walk);
  net::Awaitable<Status> learn_classes();
  net::Awaitable<const char*> apply(Verb verb, const queue::ListRow& row);
  net::Awaitable<const char*> hold(QueueId id);
  net::Awaitable<void> hold_at_end(QueueId id);
  net::Awaitable<const char*> release(QueueId id);
  net::Awaitable<const char*> write_held(QueueId id, bool held);
  net::Awaitable<Page> read_one(QueueId id);
  net::Awaitable<Status> commit(queue::Change change);
  bool leads_nowhere(const queue::ClassKey& key) const;
  Live live(const queue::ListRow& row) const;
  bool selected(const Selection& selection, const queue::ListRow& row) const;

  Parts parts_;
  StsOf sts_;
  TlsDays tls_days_;
  WallTime started_;
  std::set<QueueId> hold_later_;  // to be held when the attempt under way ends
  std::unordered_map<queue::ClassId, queue::ClassKey> classes_;
};

// The ids of a selection, each once; kBadInput names the first that is none.
Result<std::vector<QueueId>> parse_ids(const std::vector<std::string>& ids);
// By sender and by the recipients whose story has not ended: who deletes what is for one of them means no message that
// this one has got already.
bool matches(const queue::ListRow& row, const Selection& selection);
// What a dry run says of a message: "would", or why nothing would be changed.
const char* would_be(Verb verb, const queue::ListRow& row, bool leased);
std::string dry_run_end(std::uint64_t matched, std::uint64_t would, bool offline);
struct Listed {  // what a list came to
  std::uint64_t given = 0;
  bool more = false;
  std::vector<QueueId> missing = {};  // asked for by id, and not in the queue
};
std::string list_end(const Listed& listed, bool offline);

}  // namespace sidegate::admin
