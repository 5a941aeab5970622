#include "intake/client_rates.h"

#include <sys/random.h>

#include <algorithm>

namespace sidegate::intake {
namespace {

double minutes(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double, std::ratio<60>>(to - from).count();
}

}  // namespace

Status ClientRates::set(const ClientRateSettings& settings) {
  std::vector<net::Network> exempt;
  for (const std::string& text : settings.exempt) {
    auto network = net::Network::parse(text);
    if (!network) return std::unexpected(network.error());
    exempt.push_back(*network);
  }
  std::lock_guard lock(mutex_);
  limits_ = {settings.connections, settings.messages, settings.recipients, settings.errors};
  any_ = std::ranges::any_of(limits_, [](std::uint32_t limit) { return limit != 0; });
  exempt_ = std::move(exempt);
  return {};
}

std::optional<net::AddressOctets> ClientRates::key_of(const std::string& address) const {
  auto octets = net::parse_address(address);
  if (!octets || std::ranges::any_of(exempt_, [&](const net::Network& n) { return n.contains(*octets); }))
    return std::nullopt;
  return net::host_key(*octets);
}

void ClientRates::flow(Client& client, SteadyTime now) const {
  const double passed = std::max(0.0, minutes(client.at, now));
  for (std::size_t i = 0; i < client.level.size(); ++i)
    client.level[i] = static_cast<float>(std::max(0.0, client.level[i] - passed * limits_[i]));
  client.at = now;
}

// How near it is to a limit, at most: what is lost when it is forgotten.
double ClientRates::weight(const Client& client) const {
  double most = 0;
  for (std::size_t i = 0; i < client.level.size(); ++i) {
    if (limits_[i] != 0) most = std::max<double>(most, client.level[i] / static_cast<double>(limits_[i]));
  }
  return most;
}

ClientRates::Client& ClientRates::find(const net::AddressOctets& key, SteadyTime now) {
  if (table_.empty()) {
    table_.resize(kSets * kWays);
    // Where an address falls is not for strangers to choose.
    if (getrandom(&seed_, sizeof seed_, GRND_NONBLOCK) != sizeof seed_) seed_ = reinterpret_cast<std::uintptr_t>(this);
  }
  std::uint64_t hash = seed_;
  for (std::uint8_t octet : key) {
    hash = (hash ^ octet) * 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  Client* first = &table_[(hash % kSets) * kWays];
  Client* least = nullptr;
  for (Client* one = first; one != first + kWays; ++one) {
    if (one->used && one->key == key) {
      flow(*one, now);
      return *one;
    }
    if (one->used) flow(*one, now);
    if (least == nullptr || !one->used || (least->used && weight(*one) < weight(*least))) {
      if (least == nullptr || least->used) least = one;
    }
  }
  *least = Client{key, now, {}, true};
  return *least;
}

bool ClientRates::take(const std::string& address, ClientDoes what, SteadyTime now) {
  std::lock_guard lock(mutex_);
  const auto at = static_cast<std::size_t>(what);
  if (!any_ || limits_[at] == 0) return true;
  auto key = key_of(address);
  if (!key) return true;
  Client& client = find(*key, now);
  const bool over = client.level[at] + 1 > static_cast<float>(limits_[at]);
  // Errors go on counting, up to as many again: who goes on erring stays out.
  if (!over) client.level[at] += 1;
  if (over && what == ClientDoes::kErr)
    client.level[at] = std::min(client.level[at] + 1, 2 * static_cast<float>(limits_[at]));
  return !over;
}

bool ClientRates::shunned(const std::string& address, SteadyTime now) {
  std::lock_guard lock(mutex_);
  const auto at = static_cast<std::size_t>(ClientDoes::kErr);
  if (limits_[at] == 0 || table_.empty()) return false;
  auto key = key_of(address);
  return key && find(*key, now).level[at] + 1 > static_cast<float>(limits_[at]);
}

}  // namespace sidegate::intake
