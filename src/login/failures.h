// Who guesses passwords: failures by address (IPv6 by /64) and by user, flowing off with time. One table for all loops,
// sharded by key; a mutex is held for one look-up, never across a wait. Bounded: the key that was quiet longest gives
// way.
#pragma once

#include <array>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "login/settings.h"

namespace sidegate::login {

class Failures {  // thread-safe
 public:
  explicit Failures(FailureLimits limits, std::size_t most = 64 * 1024);
  void set_limits(FailureLimits limits);

  // Whether this address may try this user now. Who has succeeded from here lately always may: others' failures (behind
  // the same router, or an attack on the user from elsewhere) do not lock them out.
  bool may_try(const std::string& address, const std::string& user, SteadyTime now);
  // Notes a failure; how long to wait before it is answered.
  Duration failed(const std::string& address, const std::string& user, SteadyTime now);
  void succeeded(const std::string& address, const std::string& user, SteadyTime now);
  std::size_t size() const;

 private:
  struct Entry {
    double level = 0;  // failures, as many as have not flowed off
    SteadyTime at{};
    std::list<std::string>::iterator place;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Entry> entries;
    std::list<std::string> order;  // quiet longest first
  };
  static constexpr std::size_t kShards = 16;
  Shard& shard(const std::string& key);
  double level(const std::string& key, SteadyTime now);
  double add(const std::string& key, SteadyTime now, double by);
  bool is_noted(const std::string& key);
  bool known(const std::string& address, const std::string& user, SteadyTime now);
  FailureLimits limits() const;

  mutable std::mutex mutex_;
  FailureLimits limits_;
  std::size_t most_in_shard_;
  std::array<Shard, kShards> shards_;
};

// "192.0.2.7", "2001:db8:0:1::/64": what failures are counted by.
std::string failure_key(const std::string& address);

}  // namespace sidegate::login
