#include "dns/resolver.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <unordered_map>

#include "base/text.h"
#include "dns/address_cache.h"
#include "dns/files_on_disk.h"
#include "dns/lookup_thread.h"
#include "dns/system_files.h"
#include "mail/mailbox.h"

namespace sidegate::dns {

namespace {

constexpr auto kHostsFresh = std::chrono::seconds(5);
constexpr auto kLongestFresh = std::chrono::minutes(30);  // a relay that moves is followed, whatever its TTL says

using Waiter = std::move_only_function<void(Result<Addresses>)>;

Duration fresh_for(std::uint32_t ttl) {
  return std::min<Duration>(std::chrono::seconds(ttl), kLongestFresh);
}

}  // namespace

struct Resolver::State {
  State(ResolverSettings s, Clock& c)
      : settings(s), clock(c), cache(settings.keep_last_good), thread(std::make_unique<LookupThread>(std::move(s))) {}

  const ResolverSettings settings;
  Clock& clock;
  std::mutex mutex;
  AddressCache cache;                                            // guarded
  std::unordered_map<std::string, std::vector<Waiter>> waiters;  // guarded: one question a name, however many want it
  std::unique_ptr<LookupThread> thread;

  std::optional<Result<Addresses>> at_once(const std::string& host);
  void ask(const std::string& name, Waiter waiter, const std::shared_ptr<State>& self);
  void take(const std::string& name, Answer answer);
  Result<Addresses> result_of(const std::string& name, Answer answer);  // mutex held
};

// What needs no server; nullopt: ask for the name.
std::optional<Result<Addresses>> Resolver::State::at_once(const std::string& name) {
  if (auto literal = literal_address(name)) return Addresses{{*literal}, false};
  if (is_localhost(name)) return Addresses{{"::1", "127.0.0.1"}, false};
  if (!mail::is_domain(name, false))
    return fail(ErrorKind::kNotFound, "'" + printable(name, 200) + "' is no host name");
  {
    std::lock_guard lock(mutex);
    if (const auto* entry = cache.fresh(name, clock.steady())) return Addresses{entry->list, entry->stale};
  }
  std::vector<std::string> six, four;
  for (auto& address : find_in_hosts(read_file(settings.hosts), name))
    (is_six(address) ? six : four).push_back(address);
  if (six.empty() && four.empty()) return std::nullopt;
  Addresses found{interleaved(six, four), false};
  std::lock_guard lock(mutex);
  cache.put(name, found.list, kHostsFresh, clock.steady());
  return found;
}

void Resolver::State::ask(const std::string& name, Waiter waiter, const std::shared_ptr<State>& self) {
  {
    std::lock_guard lock(mutex);
    auto& all = waiters[name];
    all.push_back(std::move(waiter));
    if (all.size() > 1) return;
  }
  // The thread ends before the state does, so a bare pointer would do while the Resolver lives; a lookup that outlives
  // it holds the state.
  std::weak_ptr<State> state = self;
  thread->ask(name, [state, name](Answer answer) {
    if (auto alive = state.lock()) alive->take(name, std::move(answer));
  });
}

void Resolver::State::take(const std::string& name, Answer answer) {
  std::vector<Waiter> waiting;
  Result<Addresses> result;
  {
    std::lock_guard lock(mutex);
    result = result_of(name, std::move(answer));
    if (auto at = waiters.find(name); at != waiters.end()) {
      waiting = std::move(at->second);
      waiters.erase(at);
    }
  }
  for (Waiter& waiter : waiting) waiter(result);
}

Result<Addresses> Resolver::State::result_of(const std::string& name, Answer answer) {
  SteadyTime now = clock.steady();
  switch (answer.verdict) {
    case Verdict::kFound:
      cache.put(name, answer.list, fresh_for(answer.ttl), now);
      return Addresses{std::move(answer.list), false};
    case Verdict::kNoName:
      cache.remove(name);
      return fail(ErrorKind::kNotFound, "DNS: there is no name " + name);
    case Verdict::kNoData:
      cache.remove(name);
      return fail(ErrorKind::kNotFound, "DNS: " + name + " has no address");
    default:
      break;
  }
  if (const auto* entry = cache.last_good(name, now)) return Addresses{entry->list, true};
  bool silent = answer.verdict == Verdict::kSilent;
  return fail(silent ? ErrorKind::kTimeout : ErrorKind::kUnreachable, "DNS: looking up " + name + ": " + answer.why);
}

Resolver::Resolver(ResolverSettings settings, Clock& clock)
    : state_(std::make_shared<State>(std::move(settings), clock)) {}

// Ends the thread first: what waits is answered (shutting down) while the state still stands.
Resolver::~Resolver() {
  state_->thread.reset();
}

net::Awaitable<Result<Addresses>> Resolver::addresses(net::Loop& loop, std::string host) {
  std::shared_ptr<State> state = state_;
  std::string name = lower(host);
  if (name.size() > 1 && name.ends_with('.')) name.pop_back();
  if (auto known = state->at_once(name)) co_return std::move(*known);

  auto executor = loop.executor();
  auto start = [state, name, executor](auto handler) {
    // The handler is called on the loop, also when the answer is there at once.
    Waiter waiter = [executor, handler = std::move(handler)](Result<Addresses> result) mutable {
      auto resume = [handler = std::move(handler), result = std::move(result)]() mutable {
        handler(std::move(result));
      };
      boost::asio::post(executor, std::move(resume));
    };
    state->ask(name, std::move(waiter), state);
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<Addresses>)>(
      std::move(start), boost::asio::use_awaitable);
}

}  // namespace sidegate::dns
