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
#include "dns/reverse.h"
#include "dns/system_files.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::dns {

namespace {

constexpr std::size_t kLongestName = 253;
constexpr auto kHostsFresh = FileInMemory::kFresh;
constexpr auto kMailLimit = std::chrono::seconds(20);  // for the MX records of a domain
constexpr auto kTellsLimit = std::chrono::seconds(6);  // for a name that everybody knows
constexpr auto kTellsFresh = std::chrono::seconds(15);

using Waiter = std::move_only_function<void(Result<Addresses>)>;

Duration fresh_for(std::uint32_t ttl) {
  return std::min<Duration>(std::chrono::seconds(ttl), kLongestFresh);
}

}  // namespace

struct Resolver::State {
  State(ResolverSettings s, Clock& c)
      : settings(s),
        clock(c),
        hosts(settings.hosts),
        cache(settings.keep_last_good),
        thread(std::make_unique<LookupThread>(std::move(s))) {}

  const ResolverSettings settings;
  Clock& clock;
  FileInMemory hosts;
  std::mutex mutex;
  AddressCache cache;                                            // guarded
  std::unordered_map<std::string, std::vector<Waiter>> waiters;  // guarded: one question a name, however many want it
  RecordQuestions questions;
  SteadyTime tells_until{};  // guarded
  Validation validation;     // guarded
  std::unique_ptr<LookupThread> thread;

  std::optional<Result<Addresses>> at_once(const std::string& host);
  std::optional<Result<Records>> record_at_once(const std::string& name, RecordType type);
  void ask_record(std::string name, RecordType type, Duration limit, RecordQuestions::Waiter waiter,
                  const std::shared_ptr<State>& self);
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
  const std::shared_ptr<const std::string> text = hosts.text(clock.steady());
  for (auto& address : find_in_hosts(*text, name)) (is_six(address) ? six : four).push_back(address);
  if (six.empty() && four.empty()) return std::nullopt;
  Addresses found{interleaved(six, four), false};
  std::lock_guard lock(mutex);
  cache.put(name, found.list, kHostsFresh, clock.steady());
  return found;
}

// Addresses that stand in the hosts file, and what was answered a moment ago.
std::optional<Result<Records>> Resolver::State::record_at_once(const std::string& name, RecordType type) {
  const std::string key = RecordQuestions::key_of(name, type);
  if (auto known = questions.known(key, clock.steady())) return known;
  if (type != RecordType::kA && type != RecordType::kAaaa) return std::nullopt;
  Records found;
  const std::shared_ptr<const std::string> text = hosts.text(clock.steady());
  for (auto& address : find_in_hosts(*text, name)) {
    if (is_six(address) == (type == RecordType::kAaaa)) found.push_back(address);
  }
  if (found.empty()) return std::nullopt;
  questions.know(key, found, kHostsFresh, clock.steady());
  return found;
}

void Resolver::State::ask_record(std::string name, RecordType type, Duration limit, RecordQuestions::Waiter waiter,
                                 const std::shared_ptr<State>& self) {
  std::string key = RecordQuestions::key_of(name, type);
  switch (questions.wait_for(key, waiter)) {
    case RecordQuestions::Next::kWait:
      return;
    case RecordQuestions::Next::kTooMany:
      return waiter(fail(ErrorKind::kOverload, "DNS: too many lookups are under way"));
    case RecordQuestions::Next::kAsk:
      break;
  }
  std::weak_ptr<State> state = self;
  thread->ask(std::move(name), type, limit, [state, key = std::move(key)](Answer answer) {
    if (auto alive = state.lock()) alive->questions.take(key, std::move(answer), alive->clock.steady());
  });
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
  auto ascii = mail::to_ascii(host);
  if (!ascii) co_return fail(ErrorKind::kNotFound, ascii.error().text);
  std::string name = lower(*ascii);
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

net::Awaitable<Result<Records>> Resolver::records(net::Loop& loop, std::string name, RecordType type, Duration limit) {
  std::shared_ptr<State> state = state_;
  auto ascii = mail::to_ascii(name);
  if (!ascii) co_return fail(ErrorKind::kNotFound, ascii.error().text);
  name = lower(*ascii);
  if (name.size() > 1 && name.ends_with('.')) name.pop_back();
  if (name.empty() || name.size() > kLongestName)
    co_return fail(ErrorKind::kNotFound, "'" + printable(name, 100) + "' is no name");
  if (auto known = state->record_at_once(name, type)) co_return std::move(*known);
  auto executor = loop.executor();
  auto start = [state, name, type, limit, executor](auto handler) {
    RecordQuestions::Waiter waiter = [executor, handler = std::move(handler)](Result<Records> result) mutable {
      auto resume = [handler = std::move(handler), result = std::move(result)]() mutable {
        handler(std::move(result));
      };
      boost::asio::post(executor, std::move(resume));
    };
    state->ask_record(name, type, limit, std::move(waiter), state);
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Result<Records>)>(
      std::move(start), boost::asio::use_awaitable);
}

net::Awaitable<Result<Records>> Resolver::names(net::Loop& loop, std::string address, Duration limit) {
  std::shared_ptr<State> state = state_;
  auto name = reverse_name(address);
  if (!name) co_return fail(ErrorKind::kNotFound, "'" + printable(address, 100) + "' is no address");
  const std::string key = RecordQuestions::key_of(*name, RecordType::kPtr);
  if (auto known = state->questions.known(key, state->clock.steady())) co_return std::move(*known);
  const std::shared_ptr<const std::string> text = state->hosts.text(state->clock.steady());
  if (std::string named = find_name_in_hosts(*text, address); !named.empty()) {
    state->questions.know(key, {named}, kHostsFresh, state->clock.steady());
    co_return Records{std::move(named)};
  }
  std::string asked = std::move(*name);
  co_return co_await records(loop, std::move(asked), RecordType::kPtr, limit);
}

net::Awaitable<bool> Resolver::knows(net::Loop& loop, std::string name) {
  std::shared_ptr<State> state = state_;
  auto executor = loop.executor();
  auto start = [state, name = std::move(name), executor](auto handler) {
    auto done = [executor, handler = std::move(handler)](Answer answer) mutable {
      // That the name exists is enough.
      bool exists = answer.verdict == Verdict::kFound || answer.verdict == Verdict::kNoData;
      auto resume = [handler = std::move(handler), exists]() mutable { handler(exists); };
      boost::asio::post(executor, std::move(resume));
    };
    state->thread->ask(name, RecordType::kNs, kTellsLimit, std::move(done), true);
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(bool)>(
      std::move(start), boost::asio::use_awaitable);
}

net::Awaitable<bool> Resolver::can_tell(net::Loop& loop, std::string domain) {
  std::shared_ptr<State> state = state_;
  if (auto ascii = mail::to_ascii(domain)) domain = std::move(*ascii);
  {
    std::lock_guard lock(state->mutex);
    if (state->clock.steady() < state->tells_until) co_return true;
  }
  bool tells = co_await knows(loop, ".");
  // Some forwarders of home routers know no root; some servers inside a company know only names of the company.
  if (domain.starts_with('[')) co_return tells;
  for (auto dot = domain.find('.'); !tells && dot != std::string::npos && dot + 1 < domain.size();) {
    domain.erase(0, dot + 1);
    tells = co_await knows(loop, domain);
    dot = domain.find('.');
  }
  if (tells) {
    std::lock_guard lock(state->mutex);
    state->tells_until = state->clock.steady() + kTellsFresh;
  }
  co_return tells;
}

net::Awaitable<Result<Exchangers>> Resolver::exchangers(net::Loop& loop, std::string domain, std::uint32_t random) {
  auto ascii = mail::to_ascii(domain);
  if (!ascii) co_return fail(ErrorKind::kNotFound, ascii.error().text);
  domain = lower(*ascii);
  if (domain.size() > 1 && domain.ends_with('.')) domain.pop_back();
  if (auto literal = address_of_literal(domain)) co_return Exchangers{.list = {{0, *literal}}, .implicit = true};
  if (!mail::is_domain(domain, false))
    co_return fail(ErrorKind::kNotFound, "'" + printable(domain, 200) + "' is no domain");
  auto records = co_await this->records(loop, domain, RecordType::kMx, kMailLimit);
  if (records) co_return read_exchangers(*records, random);
  if (records.error().kind != ErrorKind::kNotFound) co_return std::unexpected(records.error());
  // RFC 5321 section 5.1: without MX records the domain itself is the host, as if with preference 0.
  auto addresses = co_await this->addresses(loop, domain);
  if (addresses) co_return Exchangers{.list = {{0, domain}}, .implicit = true};
  if (addresses.error().kind != ErrorKind::kNotFound) co_return std::unexpected(addresses.error());
  bool believed = co_await can_tell(loop, domain);
  if (believed) co_return std::unexpected(addresses.error());
  co_return fail(ErrorKind::kUnreachable,
                 addresses.error().text + ", says a name server that does not know the root either: not believed");
}

net::Awaitable<Answer> Resolver::validated(net::Loop& loop, std::string name, RecordType type, Duration limit) {
  std::shared_ptr<State> state = state_;
  auto executor = loop.executor();
  auto start = [state, name = std::move(name), type, limit, executor](auto handler) {
    auto done = [executor, handler = std::move(handler)](Answer answer) mutable {
      auto resume = [handler = std::move(handler), answer = std::move(answer)]() mutable {
        handler(std::move(answer));
      };
      boost::asio::post(executor, std::move(resume));
    };
    state->thread->ask_validated(name, type, limit, std::move(done));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Answer)>(
      std::move(start), boost::asio::use_awaitable);
}

net::Awaitable<Validates> Resolver::can_validate(net::Loop& loop) {
  std::shared_ptr<State> state = state_;
  if (state->settings.trust_anchor_text.empty()) {
    std::lock_guard lock(state->mutex);
    const std::string& path = state->settings.trust_anchor;
    state->validation.found(false, path.empty() ? "trust_anchor is empty" : path + " cannot be read",
                            state->clock.steady(), 0);
    co_return Validates::kNo;
  }
  {
    const unsigned changes = state->thread->changes();
    std::lock_guard lock(state->mutex);
    const SteadyTime now = state->clock.steady();
    if (state->validation.is_fresh(now, changes)) co_return state->validation.state(now);
  }
  Answer root = co_await validated(loop, ".", RecordType::kNs, kTellsLimit);
  const unsigned changes = state->thread->changes();
  std::lock_guard lock(state->mutex);
  const SteadyTime now = state->clock.steady();
  const bool good = root.verdict == Verdict::kFound && root.secure;
  state->validation.found(good, root.why.empty() ? "the answer carries no proof" : root.why, now, changes);
  co_return state->validation.state(now);
}

std::optional<Resolver::Validating> Resolver::validating() const {
  std::lock_guard lock(state_->mutex);
  if (!state_->validation.asked()) return std::nullopt;
  return Validating{state_->validation.state(state_->clock.steady()), state_->validation.why()};
}

}  // namespace sidegate::dns
