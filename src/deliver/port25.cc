#include "deliver/port25.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "base/text.h"
#include "deliver/public_address.h"

namespace sidegate::deliver {
namespace {

constexpr std::size_t kMostSeen = 32, kMostGreeters = 256, kMostOffers = 10'000, kMostNamed = 4;

std::string words_of(ErrorKind kind) {
  return kind == ErrorKind::kTimeout ? "no answer" : kind == ErrorKind::kRefused ? "refused" : "unreachable";
}

}  // namespace

bool name_belongs(const std::string& greeter, const std::string& host, const std::string& domain) {
  const std::string own = organisation(greeter);
  return !own.empty() && (own == organisation(host) || own == organisation(domain));
}

// By organisation, each at an address of its own.
unsigned Port25::unrelated(const std::vector<Seen>& seen) {
  std::set<std::string> organisations, addresses;
  for (const Seen& one : seen) {
    organisations.insert(one.organisation);
    addresses.insert(one.address);
  }
  return static_cast<unsigned>(std::min(organisations.size(), addresses.size()));
}

// Or by network: one organisation may have hosts all over the world, and they do not fail together.
unsigned Port25::witnesses() const {
  std::set<std::string> networks;
  for (const Seen& one : failures_) networks.insert(wide_network(one.address));
  return std::max(unrelated(failures_), static_cast<unsigned>(networks.size()));
}

void Port25::note(std::vector<Seen>& list, Seen seen) {
  std::erase_if(list, [&](const Seen& one) { return one.host == seen.host && one.address == seen.address; });
  if (list.size() >= kMostSeen) list.erase(list.begin());
  list.push_back(std::move(seen));
}

void Port25::forget(std::vector<Seen>& list, SteadyTime now, Duration after) const {
  std::erase_if(list, [&](const Seen& one) { return now - one.at > after; });
}

Port25::Step Port25::close(SteadyTime now, State state, std::string reason) {
  state_ = state;
  reason_ = std::move(reason);
  pause_ = rules_.first_pause;
  looked_ = now;
  asking_ = false;
  return {state == State::kClosed ? Step::kClosed : Step::kImpostor, pause_};
}

void Port25::set_first_pause(Duration pause) {
  std::lock_guard lock(mutex_);
  rules_.first_pause = pause;
}

// Hosts of one opening, and connections that were under way when it closed, tell the same story once more.
Port25::Step Port25::again(SteadyTime now) {
  if (now - looked_ < pause_) return {Step::kStill, pause_};
  looked_ = now;
  pause_ = std::min(pause_ * 2, rules_.longest_pause);
  return {Step::kStill, pause_};
}

Port25::Step Port25::failed(SteadyTime now, const MxHost& host, ErrorKind kind) {
  std::lock_guard lock(mutex_);
  const bool of_the_line =
      kind == ErrorKind::kTimeout || kind == ErrorKind::kRefused || kind == ErrorKind::kUnreachable;
  if (!of_the_line) return {};
  if (state_ != State::kOpen) return again(now);
  forget(failures_, now, rules_.window);
  note(failures_, {organisation(host.name), host.address, host.name, now, false, kind});
  if (witnesses() < rules_.unrelated || asking_) return {};
  if (other_at_ != SteadyTime::min() && now - other_at_ <= rules_.evidence_for) {
    asking_ = true;
  } else {
    if (now < ask_from_) return {};
    asking_ = true;
    return {Step::kAsk, {}};
  }
  std::string named;
  for (std::size_t i = failures_.size(); i > 0 && failures_.size() - i < kMostNamed; --i) {
    const Seen& one = failures_[i - 1];
    named += fmt::format("{}{}[{}]: {}", named.empty() ? "" : ", ", one.host, one.address, words_of(one.kind));
  }
  return close(now, State::kClosed,
               "port 25 is closed here: no connection to servers that have nothing to do with each other (" + named +
                   "), while other services answer");
}

Port25::Step Port25::evidence(SteadyTime now, bool something_answers) {
  MxHost last;
  ErrorKind kind{};
  {
    std::lock_guard lock(mutex_);
    asking_ = false;
    ask_from_ = now + rules_.ask_again;
    if (!something_answers || failures_.empty() || state_ != State::kOpen) return {};
    other_at_ = now;
    last = {failures_.back().host, failures_.back().address};
    kind = failures_.back().kind;
  }
  return failed(now, last, kind);
}

void Port25::other_answered(SteadyTime now) {
  std::lock_guard lock(mutex_);
  other_at_ = now;
}

// What was offered before and is not any more.
bool Port25::stripped(const MxHost& host, bool starttls) {
  auto known = offered_.find(host.name);
  if (known != offered_.end()) {
    if (known->second && !starttls) return true;
    known->second = starttls;
    return false;
  }
  if (offered_.size() >= kMostOffers) offered_.erase(offered_.begin());
  offered_.emplace(host.name, starttls);
  return false;
}

// Several hosts of different houses do not lose STARTTLS at one time.
std::optional<Port25::Step> Port25::stripped_at_several(SteadyTime now, const Seen& seen) {
  if (std::ranges::find(stripped_, seen.host, &Seen::host) == stripped_.end()) stripped_.push_back(seen);
  if (stripped_.size() > kMostSeen) stripped_.erase(stripped_.begin());
  if (unrelated(stripped_) < 2) return std::nullopt;
  if (state_ == State::kIntercepted) return again(now);
  const auto other = std::ranges::find_if(stripped_ | std::views::reverse,
                                          [&](const Seen& one) { return one.organisation != seen.organisation; });
  return close(
      now, State::kIntercepted,
      fmt::format("port 25 is intercepted here: {} and {} are known to offer STARTTLS, and it is taken away on the way",
                  other->host, seen.host));
}

// The host's own name, and STARTTLS is not offered any more: one host may have changed its mind, several have not.
Port25::Step Port25::without_tls(SteadyTime now, const Seen& seen) {
  forget(stripped_, now, rules_.remember_greeters);
  const auto before = std::ranges::find(stripped_, seen.host, &Seen::host);
  const bool for_long = before != stripped_.end() && now - before->at >= rules_.believe_change;
  if (auto found = stripped_at_several(now, seen)) return std::move(*found);
  if (!for_long) return {Step::kSuspect, {}};
  offered_[seen.host] = false;
  return open();
}

Port25::Step Port25::promise_broken(SteadyTime now, const MxHost& host) {
  std::lock_guard lock(mutex_);
  forget(stripped_, now, rules_.remember_greeters);
  auto found = stripped_at_several(now, {organisation(host.name), host.address, host.name, now, false, {}});
  return found ? std::move(*found) : Step{Step::kSuspect, {}};
}

Port25::Step Port25::answered(SteadyTime now, const MxHost& host, const std::string& greeter, bool own, bool starttls) {
  std::lock_guard lock(mutex_);
  const std::string name = lower(greeter);
  const Seen seen{organisation(host.name), host.address, host.name, now, starttls, {}};
  const bool lost_tls = stripped(host, starttls);
  if (own && !lost_tls) {  // the host itself: so the line leads there
    if (starttls) stripped_.clear();
    greeters_.clear();
    return open();
  }
  if (lost_tls && own) return without_tls(now, seen);
  if (greeters_.size() >= kMostGreeters && !greeters_.contains(name)) greeters_.erase(greeters_.begin());
  std::vector<Seen>& same = greeters_[name];
  forget(same, now, rules_.remember_greeters);
  auto before = std::ranges::find_if(same, [&](const Seen& one) { return one.host == host.name; });
  const bool seen_before = before != same.end() && now - before->at >= 30s;
  if (before == same.end()) same.push_back(seen);
  const unsigned hosts = unrelated(same);
  const bool none_has_tls = std::ranges::none_of(same, &Seen::starttls);
  const bool impostor = hosts >= rules_.unrelated || (hosts >= 2 && none_has_tls) || (lost_tls && hosts >= 2);
  if (state_ == State::kIntercepted && (name == interceptor_ || impostor)) return again(now);
  if (impostor) {
    interceptor_ = name;
    return close(now, State::kIntercepted,
                 fmt::format("port 25 is intercepted here: {} answers in place of {} and {}{}", printable(name, 200),
                             same[same.size() - 2].host, host.name, none_has_tls ? ", without STARTTLS" : ""));
  }
  // An odd name alone is common. Where nothing is encrypted either, the message waits for a second look, or for what
  // other hosts say.
  if (lost_tls || (!starttls && !seen_before)) return {Step::kSuspect, {}};
  return open();
}

Port25::Step Port25::open() {
  failures_.clear();
  ever_ = true;
  if (state_ == State::kOpen) return {};
  state_ = State::kOpen;
  reason_.clear();
  interceptor_.clear();
  return {Step::kOpen, {}};
}

Port25::State Port25::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

bool Port25::ever_open() const {
  std::lock_guard lock(mutex_);
  return ever_;
}

std::string Port25::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

std::string Port25::interceptor() const {
  std::lock_guard lock(mutex_);
  return interceptor_;
}

}  // namespace sidegate::deliver
