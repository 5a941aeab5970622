// Whose an address is, as it was found a moment ago: finding out asks the aliases, and the helper for ~/.forward.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace sidegate::intake {

class KnownOwners {  // thread-safe
 public:
  explicit KnownOwners(Clock& clock, std::size_t most = 10'000) : clock_(clock), most_(most) {}
  // Whether it is this user's; nullopt: not known, or longer ago than kGood.
  std::optional<bool> find(const std::string& user, const std::string& address) const;
  void learn(const std::string& user, const std::string& address, bool owns);

  static constexpr Duration kGood = std::chrono::minutes(1);  // an alias that is taken away counts so much longer

 private:
  struct Entry {
    bool owns = false;
    SteadyTime at{};
  };
  static std::string key(const std::string& user, const std::string& address) { return user + '\n' + address; }

  Clock& clock_;
  std::size_t most_;  // then all is forgotten
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sidegate::intake
