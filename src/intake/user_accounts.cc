#include "intake/user_accounts.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sidegate::intake {
namespace {

using quota::Measure;
using quota::Span;
using namespace std::chrono_literals;

constexpr quota::Kind kBurst{Measure::kRecipients, Span::kHour};
constexpr Duration kForgotten = 30 * 24h;  // nothing sent for so long: what was usual says nothing any more

bool counts(const UserRules& rules) {
  return rules.suspend_factor != 0 || !limits_of(rules).empty();
}

std::string name_of_key(std::string_view key) {
  return std::string(key.substr(std::string_view(kUserNotes).size()));
}

Result<quota::Row> row_in(queue::Store& store, const std::string& name, Clock& clock) {
  auto notes = store.notes(user_key(name));
  if (!notes) return std::unexpected(notes.error());
  for (const queue::Note& note : *notes) {
    if (note.key != user_key(name)) continue;
    auto row = quota::decode(note.value, user_plan(), clock.steady(), clock.wall());
    if (row) return row;
  }
  return quota::Row(user_plan());
}

std::unexpected<Error> already(const std::string& name, bool suspended) {
  return std::unexpected(is_so_already(name, suspended));
}

Status stop(quota::Row& row, const std::string& name, std::string reason, WallTime now) {
  if (row.stop) return already(name, true);
  row.stop = quota::Stop{now, false, true, std::move(reason), 0};
  row.last_used = now;
  return {};
}

Status go_on(quota::Row& row, const std::string& name, SteadyTime steady, WallTime now) {
  if (!row.stop) return already(name, false);
  // Suspended by ourselves: what led to it was let pass, the message among it that was not taken. An operator's word is
  // no judgement on how much is usual.
  if (row.stop->by_itself) row.usual.let_pass(std::max(row.stop->sent, row.counters.count(kBurst, steady)), steady);
  row.stop.reset();
  row.last_used = now;
  return {};
}

}  // namespace

Error is_so_already(const std::string& name, bool suspended) {
  return {ErrorKind::kConflict, name + (suspended ? " is suspended already" : " is not suspended")};
}

std::span<const quota::Kind> user_plan() {
  static constexpr quota::Kind kPlan[] = {
      {Measure::kMessages, Span::kMinute},   {Measure::kMessages, Span::kHour},   {Measure::kMessages, Span::kDay},
      {Measure::kRecipients, Span::kMinute}, {Measure::kRecipients, Span::kHour}, {Measure::kRecipients, Span::kDay},
      {Measure::kOctets, Span::kDay},
  };
  return kPlan;
}

std::vector<quota::Limit> limits_of(const UserRules& rules) {
  const std::uint64_t most[] = {rules.messages_per_minute,   rules.messages_per_hour,   rules.messages_per_day,
                                rules.recipients_per_minute, rules.recipients_per_hour, rules.recipients_per_day,
                                rules.bytes_per_day};
  std::vector<quota::Limit> limits;
  for (std::size_t i = 0; i < user_plan().size(); ++i) {
    if (most[i] != 0) limits.push_back({user_plan()[i], most[i]});
  }
  return limits;
}

std::string user_key(std::string_view name) {
  return kUserNotes + lower(name);
}

UserStanding standing_of(const std::string& name, const quota::Row& row, const UserRules& rules, SteadyTime now) {
  UserStanding standing{name, row.stop, 0, {}, row.usual.per_hour(now)};
  const std::vector<quota::Limit> limits = limits_of(rules);
  for (const quota::Kind& kind : user_plan()) {
    auto limit = std::ranges::find(limits, kind, &quota::Limit::kind);
    const std::uint64_t used = row.counters.count(kind, now);
    if (limit != limits.end() || used != 0)
      standing.used.push_back({limit != limits.end() ? *limit : quota::Limit{kind, 0}, used});
  }
  return standing;
}

void UserAccounts::set(UserSettings settings) {
  auto fresh = std::make_shared<const UserSettings>(std::move(settings));
  std::lock_guard lock(mutex_);
  settings_ = std::move(fresh);
}

std::shared_ptr<const UserSettings> UserAccounts::settings() const {
  std::lock_guard lock(mutex_);
  return settings_;
}

void UserAccounts::set_listener(std::function<void()> changed) {
  std::lock_guard lock(mutex_);
  changed_ = std::move(changed);
}

// --- over a restart

Status UserAccounts::load(queue::Store& store) {
  auto notes = store.notes(kUserNotes);
  if (!notes) return std::unexpected(notes.error());
  {
    std::lock_guard lock(mutex_);
    store_ = &store;
    for (const queue::Note& note : *notes) {
      const std::string name = name_of_key(note.key);
      auto row = quota::decode(note.value, user_plan(), clock_.steady(), clock_.wall());
      if (!row) {  // it begins anew, which is worth a line: he may have been suspended
        log_.error("user_row_unreadable", {{"user", name}, {"error", row.error().text}});
        store.commit(queue::Note{note.key, {}}, [](Status) {});
        continue;
      }
      accounts_[name].row = std::move(*row);
    }
    publish();
  }
  forget_old();
  return {};
}

bool UserAccounts::is_old(const Account& account) const {
  return !account.row.stop && account.connections == 0 && clock_.wall() - account.row.last_used > kForgotten &&
         account.row.counters.empty(clock_.steady());
}

void UserAccounts::forget_old() {
  std::lock_guard lock(mutex_);
  std::erase_if(accounts_, [this](const auto& one) {
    if (!is_old(one.second)) return false;
    if (store_ && one.second.row.last_used != WallTime{})
      store_->commit(queue::Note{user_key(one.first), {}}, [](Status) {});
    return true;
  });
}

void UserAccounts::write(const std::string& name, const Account& account) {
  if (!store_) return;
  store_->commit(queue::Note{user_key(name), quota::encode(account.row, clock_.steady(), clock_.wall())},
                 [](Status) {});
}

void UserAccounts::publish() {
  auto names = std::make_shared<std::vector<std::string>>();
  for (const auto& [name, account] : accounts_) {
    if (account.row.stop) names->push_back(name);
  }
  std::ranges::sort(*names);
  suspended_ = std::move(names);
}

// --- sessions

bool UserAccounts::enter(const std::string& name, std::uint32_t most, Place* place) {
  const std::string key = lower(name);
  {
    std::lock_guard lock(mutex_);
    Account& account = accounts_[key];
    if (most != 0 && account.connections >= most) {
      ++limited_;
      return false;
    }
    ++account.connections;
  }
  *place = Place(this, key);
  return true;
}

void UserAccounts::leave(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto at = accounts_.find(name);
  if (at == accounts_.end()) return;
  // One of whom nothing is known but this connection.
  if (--at->second.connections == 0 && at->second.row.last_used == WallTime{} && !at->second.row.stop)
    accounts_.erase(at);
}

std::optional<quota::Over> UserAccounts::reserve(const std::string& name, bool program, Measure measure,
                                                 std::uint64_t n, SteadyTime now) {
  const std::string key = lower(name);
  const auto settings = this->settings();
  const UserRules& rules = settings->of(key, program);
  if (!counts(rules)) return std::nullopt;
  const std::vector<quota::Limit> limits = limits_of(rules);
  std::lock_guard lock(mutex_);
  Account& account = accounts_[key];
  account.row.program = program;
  if (auto over = account.row.counters.over(limits, measure, n, now)) {
    ++limited_;
    return over;
  }
  account.row.counters.add(measure, n, now);
  account.row.last_used = clock_.wall();
  return std::nullopt;
}

void UserAccounts::give_back(const std::string& name, Measure measure, std::uint64_t n, SteadyTime when) noexcept {
  try {
    const std::string key = lower(name);
    std::lock_guard lock(mutex_);
    auto at = accounts_.find(key);
    if (at != accounts_.end()) at->second.row.counters.take_back(measure, n, when);
  } catch (const std::bad_alloc&) {
    // It stays counted.
  }
}

void UserAccounts::taken(const std::string& name, std::uint64_t recipients) {
  const std::string key = lower(name);
  std::lock_guard lock(mutex_);
  auto at = accounts_.find(key);
  if (at == accounts_.end() || at->second.row.last_used == WallTime{}) return;  // not counted
  at->second.row.usual.add(recipients, clock_.steady());
  write(key, at->second);
}

std::optional<quota::Stop> UserAccounts::too_much_at_once(const std::string& name, bool program) {
  const std::string key = lower(name);
  quota::Stop stop;
  std::function<void()> changed;
  const auto settings = this->settings();
  const UserRules& rules = settings->of(key, program);
  {
    std::lock_guard lock(mutex_);
    auto at = accounts_.find(key);
    if (at == accounts_.end() || rules.suspend_factor == 0) return std::nullopt;
    quota::Row& row = at->second.row;
    if (row.stop) return row.stop;
    const SteadyTime now = clock_.steady();
    const std::uint64_t sent = row.counters.count(kBurst, now);
    if (row.usual.lets_pass(now) ||
        static_cast<double>(sent) <= row.usual.far_over(rules.suspend_factor, rules.suspend_floor, now))
      return std::nullopt;
    stop = {clock_.wall(), true, false,
            fmt::format("{} recipients within an hour, where about {:.0f} are usual", sent, row.usual.per_hour(now)),
            sent};
    row.stop = stop;
    ++suspensions_;
    write(key, at->second);
    publish();
    changed = changed_;
  }
  log_.warning("user_suspended", {{"user", key},
                                  {"by", "server"},
                                  {"reason", stop.reason},
                                  {"next", "sidegate user resume " + key + ", once its password is changed"}});
  if (changed) changed();
  return stop;
}

// --- people

std::optional<quota::Stop> UserAccounts::stopped(const std::string& name) const {
  const std::string key = lower(name);
  std::lock_guard lock(mutex_);
  auto at = accounts_.find(key);
  return at == accounts_.end() ? std::nullopt : at->second.row.stop;
}

std::uint32_t UserAccounts::times_resumed(const std::string& name) const {
  const std::string key = lower(name);
  std::lock_guard lock(mutex_);
  auto at = accounts_.find(key);
  return at == accounts_.end() ? 0 : at->second.resumed;
}

std::shared_ptr<const std::vector<std::string>> UserAccounts::suspended() const {
  std::lock_guard lock(mutex_);
  return suspended_;
}

Status UserAccounts::suspend(const std::string& name, std::string reason) {
  const std::string key = lower(name);
  std::function<void()> changed;
  {
    std::lock_guard lock(mutex_);
    Account& account = accounts_[key];
    if (Status done = stop(account.row, key, reason, clock_.wall()); !done) return done;
    write(key, account);
    publish();
    changed = changed_;
  }
  log_.warning("user_suspended", {{"user", key}, {"by", "operator"}, {"reason", reason}});
  if (changed) changed();
  return {};
}

Status UserAccounts::resume(const std::string& name) {
  const std::string key = lower(name);
  std::function<void()> changed;
  {
    std::lock_guard lock(mutex_);
    auto at = accounts_.find(key);
    if (at == accounts_.end()) return already(key, false);
    if (Status done = go_on(at->second.row, key, clock_.steady(), clock_.wall()); !done) return done;
    ++at->second.resumed;
    write(key, at->second);
    publish();
    changed = changed_;
  }
  log_.info("user_resumed", {{"user", key}});
  if (changed) changed();
  return {};
}

void UserAccounts::told(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto at = accounts_.find(lower(name));
  if (at == accounts_.end() || !at->second.row.stop) return;
  at->second.row.stop->told = true;
  write(at->first, at->second);
}

std::vector<std::pair<std::string, quota::Stop>> UserAccounts::untold() const {
  std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, quota::Stop>> all;
  for (const std::string& name : *suspended_) {
    const auto at = accounts_.find(name);
    if (at == accounts_.end() || !at->second.row.stop) continue;
    const quota::Stop& stop = *at->second.row.stop;
    if (stop.by_itself && !stop.told) all.emplace_back(name, stop);
  }
  return all;
}

std::vector<UserStanding> UserAccounts::standings() const {
  std::vector<std::pair<std::string, Account>> copies;  // mail waits for the mutex, and not for what follows
  const auto settings = this->settings();
  {
    std::lock_guard lock(mutex_);
    copies.assign(accounts_.begin(), accounts_.end());
  }
  std::vector<UserStanding> all;
  all.reserve(copies.size());
  for (const auto& [name, account] : copies) {
    all.push_back(standing_of(name, account.row, settings->of(name, account.row.program), clock_.steady()));
    all.back().connections = account.connections;
  }
  std::ranges::sort(all, {}, &UserStanding::name);
  return all;
}

Result<queue::Note> suspended_note(queue::Store& store, const std::string& name, std::string reason, Clock& clock) {
  auto row = row_in(store, name, clock);
  if (!row) return std::unexpected(row.error());
  if (Status done = stop(*row, name, std::move(reason), clock.wall()); !done) return std::unexpected(done.error());
  return queue::Note{user_key(name), quota::encode(*row, clock.steady(), clock.wall())};
}

Result<queue::Note> resumed_note(queue::Store& store, const std::string& name, Clock& clock) {
  auto row = row_in(store, name, clock);
  if (!row) return std::unexpected(row.error());
  if (Status done = go_on(*row, name, clock.steady(), clock.wall()); !done) return std::unexpected(done.error());
  return queue::Note{user_key(name), quota::encode(*row, clock.steady(), clock.wall())};
}

}  // namespace sidegate::intake
