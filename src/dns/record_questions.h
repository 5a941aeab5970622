// Questions for one type of record that are under way or answered: one question a name and type, however many want it.
// What is not there is remembered too: most clients are on no block list.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "dns/address_cache.h"
#include "dns/answer.h"
#include "dns/message.h"

namespace sidegate::dns {

using Records = std::vector<std::string>;  // as record_text() has them; never empty

class RecordQuestions {  // thread-safe
 public:
  using Waiter = std::move_only_function<void(Result<Records>)>;  // called without the lock, exactly once
  explicit RecordQuestions(std::size_t most = 2000) : most_(most) {}

  static std::string key_of(const std::string& name, RecordType type);
  std::optional<Result<Records>> known(const std::string& key, SteadyTime now);  // nullopt: ask
  enum class Next : std::uint8_t { kAsk, kWait, kTooMany };
  // kAsk: the caller asks, and hands the answer to take(). kTooMany: `waiter` is left with the caller.
  Next wait_for(const std::string& key, Waiter& waiter);
  void take(const std::string& key, Answer answer, SteadyTime now);
  void know(const std::string& key, Records records, Duration fresh_for, SteadyTime now);

 private:
  struct Trouble {
    SteadyTime until;
    Error error;
  };
  void remember(const std::string& key, const Error& trouble, SteadyTime now);
  static Result<Records> result_of(const std::string& key, Answer answer);

  const std::size_t most_;
  std::mutex mutex_;
  AddressCache cache_{Duration(0), 16'384};  // an empty list: there is none
  std::unordered_map<std::string, Trouble>
      troubles_;  // names of clients whose zone is silent: each of their connections waits
  std::unordered_map<std::string, std::vector<Waiter>> waiters_;
};

}  // namespace sidegate::dns
