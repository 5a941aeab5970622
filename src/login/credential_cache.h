// Credentials that a back end has verified a moment ago: a client that opens a connection for each message pays one
// hash, not one a message. What is kept is a keyed hash under a random key of this process; a change of users empties
// it.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace sidegate::login {

class CredentialCache {  // thread-safe
 public:
  explicit CredentialCache(std::size_t most = 16 * 1024);
  // What get() and put() know the credentials by; kind: password or token.
  std::string key(char kind, const std::string& user, const std::string& secret) const;
  std::optional<std::string> get(const std::string& key, SteadyTime now) const;
  // generation: of before the check began; what changed meanwhile keeps it out.
  void put(const std::string& key, const std::string& user, SteadyTime until, std::uint64_t generation);
  std::uint64_t generation() const;
  void clear();

 private:
  struct Entry {
    std::string user;
    SteadyTime until;
  };
  const std::string secret_;
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::uint64_t generation_ = 0;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sidegate::login
