// What all users have sent lately, who is connected, and who is suspended: one table for all sessions and loops. A
// mutex is held for one look-up, never across a wait. Counts and suspensions are rows in the store (quota/row.h): each
// is written just before the message that it counts, and rides on that message's sync.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "intake/user_rules.h"
#include "queue/store.h"
#include "quota/row.h"

namespace sidegate::intake {

std::span<const quota::Kind> user_plan();  // what is counted of a user
std::vector<quota::Limit> limits_of(const UserRules& rules);
inline constexpr const char* kUserNotes = "user/";  // before the name, in the store
std::string user_key(std::string_view name);        // of a note

// A limit and how much of it is used.
struct UsedLimit {
  quota::Limit limit;
  std::uint64_t used = 0;
};
struct UserStanding {  // for `user list` and `status`
  std::string name;
  std::optional<quota::Stop> stop;
  std::uint32_t connections = 0;
  std::vector<UsedLimit> used;  // of what is counted; most 0: no limit
  double usual_per_hour = 0;    // recipients
};
UserStanding standing_of(const std::string& name, const quota::Row& row, const UserRules& rules, SteadyTime now);

class UserAccounts {  // thread-safe
 public:
  explicit UserAccounts(Clock& clock, Log& log) : clock_(clock), log_(log) {}
  UserAccounts(const UserAccounts&) = delete;

  void set(UserSettings settings);
  std::shared_ptr<const UserSettings> settings() const;

  // Reads what the store knows, and forgets whom nobody has heard of for a month. Before anybody else asks; the store
  // outlives the table's use.
  Status load(queue::Store& store);
  void forget_old();

  // Called when who is suspended has changed; outside of the mutex.
  void set_listener(std::function<void()> changed);

  // A connection that counts; gives its place back when it goes.
  class Place {
   public:
    Place() = default;
    Place(UserAccounts* table, std::string name) : table_(table), name_(std::move(name)) {}
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(name_, other.name_);
      return *this;
    }
    ~Place() {
      if (table_) table_->leave(name_);
    }

   private:
    UserAccounts* table_ = nullptr;
    std::string name_;
  };
  bool enter(const std::string& name, std::uint32_t most, Place* place);  // false: too many connections

  // Counts n of a measure, or says which limit is in the way.
  std::optional<quota::Over> reserve(const std::string& name, bool program, quota::Measure measure, std::uint64_t n,
                                     SteadyTime now);
  void give_back(const std::string& name, quota::Measure measure, std::uint64_t n, SteadyTime when) noexcept;
  // The message of a transaction is about to be committed: writes the row.
  void taken(const std::string& name, std::uint64_t recipients);
  // Far more within an hour than is usual: suspended from now on.
  std::optional<quota::Stop> too_much_at_once(const std::string& name, bool program);

  std::optional<quota::Stop> stopped(const std::string& name) const;
  // A login of before it counts no more: the password was perhaps changed since. Kept while the user is connected.
  std::uint32_t times_resumed(const std::string& name) const;
  std::shared_ptr<const std::vector<std::string>> suspended() const;  // sorted
  // kConflict: it is so already.
  Status suspend(const std::string& name, std::string reason);
  Status resume(const std::string& name);
  void told(const std::string& name);  // the postmaster knows
  std::vector<std::pair<std::string, quota::Stop>> untold() const;

  std::vector<UserStanding> standings() const;
  std::uint64_t suspensions() const { return suspensions_; }  // by the server, since it started
  std::uint64_t limited() const { return limited_; }          // refusals for a limit, since then

 private:
  struct Account {
    Account() : row(user_plan()) {}
    quota::Row row;
    std::uint32_t connections = 0;
    std::uint32_t resumed = 0;  // times
  };
  void leave(const std::string& name);
  void write(const std::string& name, const Account& account);  // under the mutex, which keeps the rows in order
  void publish();                                               // under the mutex
  bool is_old(const Account& account) const;

  Clock& clock_;
  Log& log_;
  queue::Store* store_ = nullptr;  // null: nothing is kept
  mutable std::mutex mutex_;
  std::shared_ptr<const UserSettings> settings_ = std::make_shared<UserSettings>();
  std::unordered_map<std::string, Account> accounts_;  // by the name in lower case
  std::shared_ptr<const std::vector<std::string>> suspended_ = std::make_shared<std::vector<std::string>>();
  std::function<void()> changed_;
  std::atomic<std::uint64_t> suspensions_{0}, limited_{0};
};

// kConflict: what was asked for is so.
Error is_so_already(const std::string& name, bool suspended);

// The row of a user changed while no server runs, as the table would; kConflict: it is so already.
Result<queue::Note> suspended_note(queue::Store& store, const std::string& name, std::string reason, Clock& clock);
Result<queue::Note> resumed_note(queue::Store& store, const std::string& name, Clock& clock);

}  // namespace sidegate::intake
