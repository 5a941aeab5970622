// How often one address may come, send, name recipients and be refused in a minute: a table of fixed size for all
// listeners and loops, a mutex held for one look-up. When there are more addresses than places, the one with the least
// behind it is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/networks.h"

namespace sidegate::intake {

struct ClientRateSettings {  // a minute and address; 0: no limit
  std::uint32_t connections = 0, messages = 0, recipients = 0, errors = 300;
  std::vector<std::string> exempt = {};  // CIDR
};

enum class ClientDoes : std::uint8_t { kConnect, kSend, kNameRecipient, kErr };

class ClientRates {  // thread-safe
 public:
  static constexpr std::size_t kSets = 4096, kWays = 4;

  Status set(const ClientRateSettings& settings);
  // Counts it. false: this is one too many, and does not count; kErr always counts, up to twice
  // the limit.
  bool take(const std::string& address, ClientDoes what, SteadyTime now);
  // Whether it has erred too often of late.
  bool shunned(const std::string& address, SteadyTime now);

 private:
  // What has come of late, flowing off at the allowed rate.
  struct Client {
    net::AddressOctets key{};
    SteadyTime at{};
    std::array<float, 4> level{};
    bool used = false;
  };
  std::optional<net::AddressOctets> key_of(const std::string& address) const;
  Client& find(const net::AddressOctets& key, SteadyTime now);
  void flow(Client& client, SteadyTime now) const;
  double weight(const Client& client) const;

  std::mutex mutex_;
  std::array<std::uint32_t, 4> limits_{0, 0, 0, 0};
  bool any_ = false;
  std::vector<net::Network> exempt_;
  std::uint64_t seed_ = 0;
  std::vector<Client> table_;  // made with the first client
};

}  // namespace sidegate::intake
