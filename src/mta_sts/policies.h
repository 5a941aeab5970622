// Which MTA-STS policy is in force for a domain: asked once for each opening of a destination. What was fetched is kept
// for as long as it says, over restarts too; a fetch that fails changes nothing of it (RFC 8461 section 5.1).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "dns/resolver.h"
#include "mta_sts/cache.h"
#include "mta_sts/fetcher.h"
#include "net/loop.h"

namespace sidegate::mta_sts {

struct InForce {
  std::shared_ptr<const Policy> policy;  // null: none
  std::string id;
  WallTime fetched{};
  // Why there is no newer one, or none at all: counted with each session (RFC 8460), told by `explain sts`.
  std::optional<FetchTrouble> trouble;
  bool enforced() const { return policy && policy->mode == Mode::kEnforce; }
};

// All that is known of one domain, for people.
struct Known {
  std::string domain, record;  // of the record: its id; empty: none
  std::string record_trouble;  // why there is none
  InForce in_force;
  WallTime expires{};
};

struct PolicySettings {
  FetchSettings fetch;
  Duration patience = std::chrono::seconds(10);      // mail waits so long for a first fetch
  Duration record_limit = std::chrono::seconds(8);   // and of that for the record
  Duration after_failure = std::chrono::minutes(5);  // RFC 8461 section 3.3: five minutes or longer
  Duration after_success = std::chrono::minutes(1);  // a policy that says max_age 0 is not fetched for each message
};

class Policies {  // thread-safe; ends before the loops it is used from
 public:
  using Allowed = std::function<bool(const std::string& address)>;
  // What is to be written: a domain and its row, empty to remove it. Called without a lock, from any thread.
  using Keep = std::function<void(const std::string& domain, std::string row)>;

  Policies(dns::Resolver& resolver, Clock& clock, Log& log, PolicySettings settings = {});
  ~Policies();

  void set_allowed(Allowed allowed);  // which addresses a stranger's record may lead us to
  void set_ca(std::string pem);       // the CAs of policy hosts; empty: the system's
  void set_keep(Keep keep);
  // A row as it was written; false: it is broken or has expired, and can go. Before anybody asks.
  bool restore(const std::string& domain, std::string_view row);

  // At most `patience` where nothing is known yet; then as if there were none.
  net::Awaitable<InForce> find(net::Loop& loop, std::string domain);
  InForce known(const std::string& domain) const;  // without asking anybody; nobody uses it
  // A policy has refused a delivery: whether there is a newer one is looked at, beside it (RFC 8461 section 5.1).
  void doubt(net::Loop& loop, std::string domain);
  // Those that are due are fetched again; called from time to time.
  void refresh(net::Loop& loop);
  net::Awaitable<Known> explain(net::Loop& loop, std::string domain);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sidegate::mta_sts
