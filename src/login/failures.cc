#include "login/failures.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sidegate::login {
namespace {

constexpr Duration kKnownFor = std::chrono::hours(7 * 24);
constexpr Duration kLongestDelay = std::chrono::seconds(8);
constexpr int kFirstOnes = 3;         // failures that wait no longer than the first
constexpr double kKnownMayFail = 20;  // failures of who has logged in from there before

// Names are of any length; the table is not.
std::string user_key(const std::string& user) {
  return "u" + user.substr(0, 255);
}
std::string pair_key(const std::string& address, const std::string& user) {
  return "k" + failure_key(address) + " " + user.substr(0, 255);
}

}  // namespace

std::string failure_key(const std::string& address) {
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return address;
  std::memset(v6.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &v6, text, sizeof text);
  return std::string(text) + "/64";
}

Failures::Failures(FailureLimits limits, std::size_t most)
    : limits_(limits), most_in_shard_(std::max<std::size_t>(1, most / kShards)) {}

void Failures::set_limits(FailureLimits limits) {
  std::lock_guard lock(mutex_);
  limits_ = limits;
}

FailureLimits Failures::limits() const {
  std::lock_guard lock(mutex_);
  return limits_;
}

Failures::Shard& Failures::shard(const std::string& key) {
  return shards_[std::hash<std::string>{}(key) % kShards];
}

// By half in each third of the window: a handful of typing errors is forgotten within it.
static double flowed(double level, Duration since, Duration window) {
  if (window <= Duration(0)) return 0;
  return level * std::exp2(-3.0 * static_cast<double>(since.count()) / static_cast<double>(window.count()));
}

double Failures::level(const std::string& key, SteadyTime now) {
  const Duration window = limits().window;
  Shard& s = shard(key);
  std::lock_guard lock(s.mutex);
  auto at = s.entries.find(key);
  if (at == s.entries.end()) return 0;
  return flowed(at->second.level, std::chrono::duration_cast<Duration>(now - at->second.at), window);
}

double Failures::add(const std::string& key, SteadyTime now, double by) {
  const Duration window = limits().window;
  Shard& s = shard(key);
  std::lock_guard lock(s.mutex);
  auto [at, fresh] = s.entries.try_emplace(key);
  Entry& entry = at->second;
  if (fresh) {
    entry.place = s.order.insert(s.order.end(), key);
  } else {
    s.order.splice(s.order.end(), s.order, entry.place);
  }
  entry.level = by + (fresh ? 0 : flowed(entry.level, std::chrono::duration_cast<Duration>(now - entry.at), window));
  entry.at = now;
  const double level = entry.level;
  while (s.entries.size() > most_in_shard_) {
    s.entries.erase(s.order.front());
    s.order.pop_front();
  }
  return level;
}

bool Failures::known(const std::string& address, const std::string& user, SteadyTime now) {
  const Duration window = limits().window;
  const std::string key = pair_key(address, user);
  Shard& s = shard(key);
  std::lock_guard lock(s.mutex);
  auto at = s.entries.find(key);
  if (at == s.entries.end()) return false;
  const auto since = std::chrono::duration_cast<Duration>(now - at->second.at);
  return since < kKnownFor && flowed(at->second.level, since, window) < kKnownMayFail;
}

bool Failures::is_noted(const std::string& key) {
  Shard& s = shard(key);
  std::lock_guard lock(s.mutex);
  return s.entries.contains(key);
}

bool Failures::may_try(const std::string& address, const std::string& user, SteadyTime now) {
  const FailureLimits l = limits();
  const bool address_full = l.per_address != 0 && level("a" + failure_key(address), now) >= l.per_address;
  const bool user_full = l.per_user != 0 && level(user_key(user), now) >= l.per_user;
  return (!address_full && !user_full) || known(address, user, now);
}

Duration Failures::failed(const std::string& address, const std::string& user, SteadyTime now) {
  double level = add("a" + failure_key(address), now, 1);
  if (!user.empty()) level = std::max(level, add(user_key(user), now, 1));
  if (const std::string pair = pair_key(address, user); is_noted(pair)) add(pair, now, 1);
  const Duration delay = limits().delay;
  const double doublings = std::clamp(std::floor(level + 0.01) - kFirstOnes, 0.0, 10.0);
  return std::min(delay * (1 << static_cast<int>(doublings)), std::max(delay, kLongestDelay));
}

void Failures::succeeded(const std::string& address, const std::string& user, SteadyTime now) {
  const std::string key = pair_key(address, user);
  add(key, now, 0);
  Shard& s = shard(key);
  std::lock_guard lock(s.mutex);
  if (auto at = s.entries.find(key); at != s.entries.end()) at->second.level = 0;
}

std::size_t Failures::size() const {
  std::size_t n = 0;
  for (const Shard& s : shards_) {
    std::lock_guard lock(s.mutex);
    n += s.entries.size();
  }
  return n;
}

}  // namespace sidegate::login
