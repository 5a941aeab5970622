#include "login/authenticator.h"

#include <algorithm>

#include "base/text.h"
#include "login/password.h"
#include "login/worker.h"
#include "smtp/receiver.h"

namespace sidegate::login {
namespace {

constexpr const char* kEnds[] = {"wrong", "limited", "unavailable", "aborted"};
constexpr std::size_t kMostWaiting = 256;  // checks of one back end beside those under way; the next is answered 454

std::unexpected<Error> too_many() {
  return fail(ErrorKind::kConflict, "too many failed logins; not asked");
}

net::Awaitable<void> sleep(Duration d) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, d);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace

Authenticator::Authenticator(Settings settings, const helper::Client* helper, std::string fake_key, Clock& clock,
                             Log& log)
    : helper_(helper), fake_key_(std::move(fake_key)), clock_(clock), log_(log), failures_(settings.limits) {
  state_ = make_state(std::move(settings));
}

Authenticator::~Authenticator() = default;

void Authenticator::set(Settings settings) {
  failures_.set_limits(settings.limits);
  auto made = make_state(std::move(settings));
  {
    std::lock_guard lock(mutex_);
    state_ = std::move(made);
  }
  cache_.clear();
}

std::shared_ptr<const Authenticator::State> Authenticator::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

net::WorkerPool& Authenticator::pool(const std::string& name, std::uint32_t concurrent) {
  auto& pool = pools_[name];
  if (!pool) pool = std::make_unique<net::WorkerPool>(std::max(1u, concurrent), kMostWaiting);
  return *pool;
}

std::shared_ptr<Backend> Authenticator::make_backend(const std::string& name, const State& state) const {
  const Settings& s = state.settings;
  if (name == "file") return make_file_backend(state.users);
  if (name == "pam" && helper_ != nullptr) return make_pam_backend(*helper_, s.pam_service);
  if (name == "dovecot") return make_dovecot_backend(s.dovecot_socket);
  if (name == "saslauthd") return make_saslauthd_backend(s.saslauthd_socket);
  if (name == "ldap") return make_ldap_backend(s.ldap);
  if (name == "oauth") return make_oauth_backend(s.oauth, clock_);
  return nullptr;
}

// Called at start and by reloads, one at a time.
std::shared_ptr<Authenticator::State> Authenticator::make_state(Settings settings) {
  auto made = std::make_shared<State>();
  made->settings = std::move(settings);
  const Settings& s = made->settings;
  if (std::ranges::find(s.backends, "file") != s.backends.end()) {
    std::vector<UserProblem> problems;
    made->users = std::make_shared<const UserFile>(UserFile::parse(s.users, &problems));
    for (const UserProblem& p : problems)
      log_.warning("user_file", {{"file", s.user_file}, {"line", p.line}, {"error", p.text}});
  }
  for (const std::string& name : s.backends) {
    auto backend = make_backend(name, *made);
    if (backend) made->backends.push_back({name, std::move(backend), &pool(name, s.concurrent)});
  }
  for (const auto& row : auth::server_mechanisms()) {
    const auto& only = s.mechanisms;
    bool asked = std::ranges::any_of(only, [&](const std::string& name) { return iequals(name, row.name); });
    // By itself only what works for every user; where it is named, for those who have what it needs.
    if (asked || (only.empty() && can(*made, row.needs))) made->offered.push_back(row.name);
  }
  return made;
}

bool Authenticator::can(const State& state, auth::Needs needs) const {
  auto any = [&](auto test) {
    return std::ranges::any_of(state.backends, [&](const Asked& asked) { return test(*asked.backend); });
  };
  switch (needs) {
    case auth::Needs::kPassword:
      return any([](const Backend& b) { return b.takes_passwords(); });
    case auth::Needs::kToken:
      return any([](const Backend& b) { return b.takes_tokens(); });
    case auth::Needs::kCertificate:
      return true;
    default:
      // A client takes the strongest one offered, so it must do for every user; those of other back ends have no keys.
      return state.users && state.backends.size() == 1 && state.users->all_have(needs);
  }
}

std::vector<std::string_view> Authenticator::mechanisms(bool binding, bool certificate) const {
  std::vector<std::string_view> out;
  for (std::string_view name : state()->offered) {
    const auto* row = auth::find_server_mechanism(name);
    if (row->binds && !binding) continue;
    if (row->needs == auth::Needs::kCertificate && !certificate) continue;
    out.push_back(name);
  }
  return out;
}

bool Authenticator::may_try(const smtp::LoginTry& attempt, const std::string& user) {
  return failures_.may_try(attempt.session.peer.address, canonical_name(user), clock_.steady());
}

net::Awaitable<smtp::LoginVerdict> Authenticator::password(smtp::LoginTry attempt, std::string user,
                                                           std::string password) {
  if (!may_try(attempt, user)) co_return too_many();
  auto verdict = co_await check('p', std::move(user), std::move(password));
  co_return verdict;
}

net::Awaitable<smtp::LoginVerdict> Authenticator::token(smtp::LoginTry attempt, std::string user, std::string token) {
  if (!may_try(attempt, user)) co_return too_many();
  auto verdict = co_await check('t', std::move(user), std::move(token));
  co_return verdict;
}

net::Awaitable<smtp::LoginVerdict> Authenticator::check(char kind, std::string user, std::string secret) {
  const std::uint64_t generation = cache_.generation();  // first: a change in between keeps the verdict out
  auto now = state();
  const std::string key = cache_.key(kind, user, secret);
  if (auto known = cache_.get(key, clock_.steady())) co_return *known;
  auto verdict = co_await ask_all(now, kind, std::move(user), std::move(secret));
  if (verdict && *verdict) cache_.put(key, **verdict, clock_.steady() + now->settings.cache, generation);
  co_return verdict;
}

// The first yes counts. Where none says yes and one could not be asked, nothing is known: not now.
net::Awaitable<smtp::LoginVerdict> Authenticator::ask_all(std::shared_ptr<const State> state, char kind,
                                                          std::string user, std::string secret) {
  std::optional<Error> trouble;
  for (const Asked& asked : state->backends) {
    const Duration limit = state->settings.timeout;
    const SteadyTime until = SteadyTime(std::chrono::steady_clock::now()) + limit;
    if (kind == 't' ? !asked.backend->takes_tokens() : !asked.backend->takes_passwords()) continue;
    auto backend = asked.backend;
    std::move_only_function<smtp::LoginVerdict()> fn = [backend, kind, user, secret,
                                                        until]() mutable -> smtp::LoginVerdict {
      // What waited in line beyond its time is asked no more.
      if (milliseconds_left(until) == 0) return fail(ErrorKind::kTimeout, "no answer in time");
      auto verdict = kind == 't' ? backend->token(user, secret, until) : backend->password(user, secret, until);
      wipe(secret);
      return verdict;
    };
    auto verdict = co_await on_worker_within<std::optional<std::string>>(*asked.pool, limit, std::move(fn));
    if (verdict && *verdict) {
      wipe(secret);
      co_return verdict;
    }
    if (!verdict) trouble = Error{verdict.error().kind, asked.name + ": " + verdict.error().text};
  }
  wipe(secret);
  if (trouble) co_return std::unexpected(std::move(*trouble));
  co_return std::nullopt;
}

net::Awaitable<Result<auth::Secret>> Authenticator::secret(smtp::LoginTry attempt, std::string user) {
  if (!may_try(attempt, user)) co_return too_many();
  auto now = state();
  const std::string name = canonical_name(user);
  const User* found = now->users ? now->users->find(name) : nullptr;
  // RFC 5802 section 9: an unknown user gets a salt as stable as a known one's.
  auth::Secret secret = auth::fake_secret(fake_key_, name, now->users ? now->users->usual_iterations() : 4096);
  if (found != nullptr && found->may_log_in()) {
    if (found->keys.sha1) secret.sha1 = found->keys.sha1;
    if (found->keys.sha256) secret.sha256 = found->keys.sha256;
    if (found->keys.password) secret.password = found->keys.password;
  }
  co_return secret;
}

net::Awaitable<smtp::LoginVerdict> Authenticator::proven(smtp::LoginTry attempt, std::string user) {
  if (!may_try(attempt, user)) co_return too_many();
  auto now = state();
  const std::string name = canonical_name(user);
  if (name.empty()) co_return std::nullopt;
  const User* found = now->users ? now->users->find(name) : nullptr;
  if (found != nullptr) co_return found->may_log_in() ? std::optional(found->name) : std::nullopt;
  // Whom no file of ours knows, a certificate may name; keys are ours alone.
  if (now->users && now->backends.size() == 1) co_return std::nullopt;
  if (!iequals(attempt.mechanism, "EXTERNAL")) co_return std::nullopt;
  co_return name;
}

net::Awaitable<void> Authenticator::failed(smtp::LoginTry attempt, std::string user, std::string why,
                                           smtp::LoginEnd end) {
  const smtp::SessionInfo& session = attempt.session;
  Duration delay{0};
  if (end == smtp::LoginEnd::kWrong)
    delay = failures_.failed(session.peer.address, canonical_name(user), clock_.steady());
  log_.warning("auth_failed", {{"client", session.peer.address},
                               {"listener", session.listener},
                               {"mechanism", attempt.mechanism},
                               {"user", printable(user, 255)},
                               {"error", why},
                               {"end", kEnds[static_cast<int>(end)]}});
  if (delay > Duration(0)) co_await sleep(delay);
}

void Authenticator::succeeded(smtp::LoginTry attempt, const std::string& user) {
  const smtp::SessionInfo& session = attempt.session;
  failures_.succeeded(session.peer.address, user, clock_.steady());
  log_.info("auth", {{"client", session.peer.address},
                     {"listener", session.listener},
                     {"mechanism", attempt.mechanism},
                     {"user", user}});
}

}  // namespace sidegate::login
