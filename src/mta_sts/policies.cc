#include "mta_sts/policies.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <unordered_map>

#include "base/text.h"
#include "mail/mailbox.h"
#include "mta_sts/record.h"

namespace sidegate::mta_sts {
namespace {

constexpr std::size_t kMostTroubles = 10'000;
constexpr std::size_t kMostAtOnce = 20;    // that refresh() begins
constexpr std::size_t kMostAddresses = 4;  // of a policy host
constexpr auto kTellAgain = std::chrono::hours(24);

using Waiter = std::move_only_function<void()>;

std::string plain_name(std::string domain) {
  domain = lower(domain);
  if (domain.ends_with('.')) domain.pop_back();
  return domain;
}

// Only DNS names of two labels and more have policies: no literals, and nobody's local names.
bool may_have_policy(const std::string& domain) {
  constexpr std::size_t kLongest = 253 - std::string_view("_mta-sts.").size();
  return domain.size() <= kLongest && domain.find('.') != std::string::npos && mail::is_domain(domain, false);
}

}  // namespace

// Shared with the fetches that are under way.
struct Policies::State {
  State(dns::Resolver& r, Clock& c, Log& l, PolicySettings s)
      : settings(s), resolver(r), clock(c), log(l), fetcher(std::make_unique<Fetcher>(s.fetch)) {}

  struct Trouble {
    FetchTrouble what;
    SteadyTime at;
  };
  struct Pending {
    SteadyTime since;
    std::vector<Waiter> waiting;
  };
  struct Fresh {
    std::string id;
    SteadyTime at;
  };

  const PolicySettings settings;
  dns::Resolver& resolver;
  Clock& clock;
  Log& log;
  std::unique_ptr<Fetcher> fetcher;
  std::mutex mutex;
  Allowed allowed;  // guarded, as what follows
  std::string ca_pem;
  Keep keep;
  Cache cache;
  std::unordered_map<std::string, Trouble> troubles;  // of the last fetch of a domain
  std::unordered_map<std::string, Fresh> fresh;       // those fetched a moment ago
  std::unordered_map<std::string, Pending> under_way;
  std::unordered_map<std::string, SteadyTime> told;

  InForce in_force(const std::string& domain, bool used);  // as far as it is known
  bool is_slow(const std::string& domain);
  bool may_fetch(const std::string& domain, const std::string& id);
  void write_changes();
  void start(net::Loop& loop, std::string domain, std::string id, const std::shared_ptr<State>& self, Waiter waiter);
  void settle(const std::string& domain, const std::string& id, Fetched fetched);
  void note_trouble(const std::string& domain, FetchTrouble trouble);
  net::Awaitable<Result<Record>> record_of(net::Loop& loop, std::string domain);
  static net::Awaitable<void> run(std::shared_ptr<State> state, net::Loop& loop, std::string domain, std::string id);
  static net::Awaitable<Fetched> fetch(std::shared_ptr<State> state, net::Loop& loop, std::string domain);
  static net::Awaitable<void> wait_for_fetch(std::shared_ptr<State> state, net::Loop& loop, std::string domain,
                                             std::string id, SteadyTime until);
  static net::Awaitable<void> look_again(std::shared_ptr<State> state, net::Loop& loop, std::string domain);
};

InForce Policies::State::in_force(const std::string& domain, bool used) {
  std::lock_guard lock(mutex);
  InForce found;
  const WallTime now = clock.wall();
  if (const Entry* entry = cache.find(domain, now)) {
    found.policy = entry->policy;
    found.id = entry->id;
    found.fetched = entry->fetched;
    if (used) cache.touch(domain, now);
  }
  if (const auto at = troubles.find(domain); at != troubles.end())
    found.trouble = at->second.what;
  else if (!found.policy && under_way.contains(domain))
    found.trouble = FetchTrouble{Failure::kFetch, "https://mta-sts." + domain + " has not answered yet"};
  return found;
}

// Others have waited for it already, in vain: nobody else does.
bool Policies::State::is_slow(const std::string& domain) {
  std::lock_guard lock(mutex);
  const auto at = under_way.find(domain);
  return at != under_way.end() && clock.steady() - at->second.since >= settings.patience;
}

// RFC 8461 section 3.3: no flood of questions to a host that gives no policy.
bool Policies::State::may_fetch(const std::string& domain, const std::string& id) {
  std::lock_guard lock(mutex);
  const SteadyTime now = clock.steady();
  const auto trouble = troubles.find(domain);
  if (trouble != troubles.end() && now - trouble->second.at < settings.after_failure) return false;
  const auto at = fresh.find(domain);
  return at == fresh.end() || at->second.id != id || now - at->second.at >= settings.after_success;
}

void Policies::State::write_changes() {
  std::vector<std::pair<std::string, std::string>> rows;
  Keep write;
  {
    std::lock_guard lock(mutex);
    if (!keep) return;
    write = keep;
    rows = cache.take_changes();
  }
  for (auto& [domain, row] : rows) write(domain, std::move(row));
}

net::Awaitable<Result<Record>> Policies::State::record_of(net::Loop& loop, std::string domain) {
  std::string name = "_mta-sts." + domain;
  auto texts = co_await resolver.records(loop, std::move(name), dns::RecordType::kTxt, settings.record_limit);
  if (!texts) co_return std::unexpected(texts.error());
  co_return find_record(*texts);
}

// --- fetching

// One fetch of a domain at a time, however many wait for it. `waiter` is called when it has ended.
void Policies::State::start(net::Loop& loop, std::string domain, std::string id, const std::shared_ptr<State>& self,
                            Waiter waiter) {
  {
    std::lock_guard lock(mutex);
    auto [at, first] = under_way.try_emplace(domain);
    if (first) at->second.since = clock.steady();
    if (waiter) at->second.waiting.push_back(std::move(waiter));
    if (!first) return;
  }
  loop.spawn("fetching an MTA-STS policy", run(self, loop, std::move(domain), std::move(id)));
}

net::Awaitable<void> Policies::State::run(std::shared_ptr<State> state, net::Loop& loop, std::string domain,
                                          std::string id) {
  Fetched fetched = co_await fetch(state, loop, domain);
  state->settle(domain, id, std::move(fetched));
  std::vector<Waiter> waiting;
  {
    std::lock_guard lock(state->mutex);
    auto node = state->under_way.extract(domain);
    if (node) waiting = std::move(node.mapped().waiting);
  }
  for (Waiter& waiter : waiting) waiter();
}

net::Awaitable<Fetched> Policies::State::fetch(std::shared_ptr<State> state, net::Loop& loop, std::string domain) {
  const std::string host = "mta-sts." + domain;
  auto found = co_await state->resolver.addresses(loop, host);
  if (!found) co_return std::unexpected(FetchTrouble{Failure::kFetch, found.error().text});
  Allowed allowed;
  std::string ca_pem;
  {
    std::lock_guard lock(state->mutex);
    allowed = state->allowed;
    ca_pem = state->ca_pem;
  }
  std::vector<std::string> addresses;
  for (std::string& address : found->list) {
    if (addresses.size() < kMostAddresses && (!allowed || allowed(address))) addresses.push_back(std::move(address));
  }
  if (addresses.empty()) {
    co_return std::unexpected(
        FetchTrouble{Failure::kFetch, host + " has no address that may be gone to: it is not one of the internet"});
  }
  auto executor = loop.executor();
  FetchQuestion question{domain, std::move(addresses), std::move(ca_pem)};
  auto start = [state, question = std::move(question), executor](auto handler) mutable {
    Fetcher::Done done = [executor, handler = std::move(handler)](Fetched result) mutable {
      auto resume = [handler = std::move(handler), result = std::move(result)]() mutable {
        handler(std::move(result));
      };
      boost::asio::post(executor, std::move(resume));
    };
    state->fetcher->fetch(std::move(question), std::move(done));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Fetched)>(
      std::move(start), boost::asio::use_awaitable);
}

void Policies::State::settle(const std::string& domain, const std::string& id, Fetched fetched) {
  if (fetched) {
    auto policy = parse_policy(*fetched);
    if (policy) {
      std::lock_guard lock(mutex);
      const WallTime now = clock.wall();
      const Entry* before = cache.find(domain, now);
      std::string known = id.empty() && before ? before->id : id;  // without a record the last known one goes on
      const WallTime used = before ? before->used : now;
      cache.put(domain, {std::make_shared<const Policy>(std::move(*policy)), std::move(known), now, used});
      troubles.erase(domain);
      told.erase(domain);
      if (fresh.size() >= kMostTroubles) fresh.clear();
      fresh[domain] = {id, clock.steady()};
    } else {
      fetched =
          std::unexpected(FetchTrouble{Failure::kInvalid, "https://mta-sts." + domain + ": " + policy.error().text});
    }
  }
  if (!fetched) note_trouble(domain, std::move(fetched.error()));
  write_changes();
}

void Policies::State::note_trouble(const std::string& domain, FetchTrouble trouble) {
  std::optional<WallTime> until;
  {
    std::lock_guard lock(mutex);
    const SteadyTime now = clock.steady();
    if (const Entry* entry = cache.find(domain, clock.wall())) until = entry->expires();
    if (troubles.size() >= kMostTroubles) troubles.clear();
    troubles[domain] = {trouble, now};
    if (told.size() >= kMostTroubles) told.clear();
    const auto before = told.find(domain);
    if (before != told.end() && now - before->second < kTellAgain) return;
    told[domain] = now;
  }
  // RFC 8461 section 10.2: who is kept from looking for a new policy is told long before the old one expires.
  const auto left = until ? std::chrono::duration_cast<std::chrono::hours>(*until - clock.wall()).count() : 0;
  log.warning("sts_not_fetched", {{"domain", domain},
                                  {"failure", name(trouble.failure)},
                                  {"reason", trouble.text},
                                  {"in_force", until ? "the policy before" : "none"},
                                  {"hours_left", left}});
}

// Begins it, or joins who waits for it already; `until` at the latest the mail goes on.
net::Awaitable<void> Policies::State::wait_for_fetch(std::shared_ptr<State> state, net::Loop& loop, std::string domain,
                                                     std::string id, SteadyTime until) {
  auto executor = loop.executor();
  auto start = [state, executor, &loop, domain, id, until](auto handler) {
    struct Race {  // on this loop alone
      std::optional<decltype(handler)> handler;
      boost::asio::steady_timer timer;
    };
    auto race = std::make_shared<Race>(Race{std::move(handler), boost::asio::steady_timer(executor)});
    auto go_on = [race] {
      if (!race->handler) return;
      auto handler = std::exchange(race->handler, std::nullopt);
      race->timer.cancel();
      (*handler)();
    };
    race->timer.expires_after(std::max<std::chrono::nanoseconds>(until - loop.clock().steady(), Duration(1)));
    race->timer.async_wait([go_on](boost::system::error_code error) {
      if (!error) go_on();
    });
    state->start(loop, domain, id, state, [executor, go_on] { boost::asio::post(executor, go_on); });
  };
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(std::move(start),
                                                                                     boost::asio::use_awaitable);
}

// With or without a record: RFC 8461 section 10.2, "regardless of the state of the _mta-sts TXT record".
net::Awaitable<void> Policies::State::look_again(std::shared_ptr<State> state, net::Loop& loop, std::string domain) {
  auto record = co_await state->record_of(loop, domain);
  std::string id = record ? record->id : std::string();
  if (!state->may_fetch(domain, id)) co_return;
  state->start(loop, std::move(domain), std::move(id), state, {});
}

// --- what others ask

Policies::Policies(dns::Resolver& resolver, Clock& clock, Log& log, PolicySettings settings)
    : state_(std::make_shared<State>(resolver, clock, log, settings)) {}

// Ends the thread first: what it still has is answered while the state stands. Who waits is told too: on loops that
// have stopped, and that take down what they hold.
Policies::~Policies() {
  state_->fetcher.reset();
  for (auto& [domain, pending] : state_->under_way) {
    for (Waiter& waiter : pending.waiting) waiter();
    pending.waiting.clear();
  }
}

void Policies::set_allowed(Allowed allowed) {
  std::lock_guard lock(state_->mutex);
  state_->allowed = std::move(allowed);
}

void Policies::set_ca(std::string pem) {
  std::lock_guard lock(state_->mutex);
  state_->ca_pem = std::move(pem);
}

void Policies::set_keep(Keep keep) {
  std::lock_guard lock(state_->mutex);
  state_->keep = std::move(keep);
}

bool Policies::restore(const std::string& domain, std::string_view row) {
  std::lock_guard lock(state_->mutex);
  return state_->cache.restore(domain, row, state_->clock.wall());
}

net::Awaitable<InForce> Policies::find(net::Loop& loop, std::string domain) {
  std::shared_ptr<State> state = state_;
  domain = plain_name(std::move(domain));
  if (!may_have_policy(domain)) co_return InForce{};
  const SteadyTime until = loop.clock().steady() + state->settings.patience;
  auto record = co_await state->record_of(loop, domain);
  InForce known = state->in_force(domain, true);
  // RFC 8461 sections 3.1, 5.1: without a record nothing is fetched, and what is known stays in force.
  const bool current = !record || (known.policy && known.id == record->id);
  if (current || !state->may_fetch(domain, record->id)) {
    if (!record && !known.policy) known.trouble.reset();
    state->write_changes();
    co_return known;
  }
  if (!state->is_slow(domain)) co_await State::wait_for_fetch(state, loop, domain, record->id, until);
  co_return state->in_force(domain, true);
}

InForce Policies::known(const std::string& domain) const {
  return state_->in_force(plain_name(domain), false);
}

void Policies::doubt(net::Loop& loop, std::string domain) {
  domain = plain_name(std::move(domain));
  if (may_have_policy(domain))
    loop.spawn("looking for a newer MTA-STS policy", State::look_again(state_, loop, std::move(domain)));
}

void Policies::refresh(net::Loop& loop) {
  std::vector<std::string> due;
  {
    std::lock_guard lock(state_->mutex);
    const WallTime now = state_->clock.wall();
    state_->cache.drop_expired(now);
    due = state_->cache.due(now, kMostAtOnce);
  }
  state_->write_changes();
  for (std::string& domain : due) doubt(loop, std::move(domain));
}

net::Awaitable<Known> Policies::explain(net::Loop& loop, std::string domain) {
  std::shared_ptr<State> state = state_;
  Known known;
  known.domain = plain_name(std::move(domain));
  known.in_force = co_await find(loop, known.domain);
  if (!may_have_policy(known.domain)) {
    known.record_trouble = "no domain that could have a policy";
    co_return known;
  }
  auto record = co_await state->record_of(loop, known.domain);
  record ? void(known.record = record->id) : void(known.record_trouble = record.error().text);
  if (known.in_force.policy) known.expires = Entry{known.in_force.policy, {}, known.in_force.fetched, {}}.expires();
  co_return known;
}

}  // namespace sidegate::mta_sts
