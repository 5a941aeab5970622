// What a user may do: whose addresses count as own, how much, and when it is too much at once. One [users] block for
// everybody who logs in, [[user_rule]] blocks for some.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace sidegate::intake {

// What becomes of mail with a sender that is none of the user's own.
enum class ForeignSender : std::uint8_t {
  kAuto,  // refused for users whose senders are listed, else only told of
  kReject,
  kRewrite,  // it becomes the user's first own address
  kWarn,
};

// Which of a user's mail goes first (intake/priority.h).
enum class PriorityRule : std::uint8_t { kAuto, kAlarm, kUsual, kBulk };

struct UserRules {        // 0: no limit
  std::string name = {};  // of a block: "taro@example.jp", "*@example.jp"
  std::vector<std::string> senders = {};
  ForeignSender foreign_sender = ForeignSender::kAuto;
  PriorityRule priority = PriorityRule::kAuto;
  std::uint32_t connections = 100;
  std::uint64_t messages_per_minute = 0, messages_per_hour = 0, messages_per_day = 0;
  std::uint64_t recipients_per_minute = 0, recipients_per_hour = 0, recipients_per_day = 0;
  std::uint64_t bytes_per_day = 0;
  // More recipients within an hour than so many times the usual, and than the floor: suspended. Factor 0: never.
  std::uint32_t suspend_factor = 10;
  std::uint64_t suspend_floor = 200;

  ForeignSender on_foreign_sender() const {
    if (foreign_sender != ForeignSender::kAuto) return foreign_sender;
    return senders.empty() ? ForeignSender::kWarn : ForeignSender::kReject;
  }
  bool operator==(const UserRules&) const = default;
};

// "*@example.jp", or "*" for all.
inline bool fits_pattern(std::string_view pattern, std::string_view name) {
  return pattern.starts_with('*') && name.size() >= pattern.size() &&
         iequals(name.substr(name.size() - pattern.size() + 1), pattern.substr(1));
}

struct UserSettings {
  UserRules everybody;                      // who logs in, unless a block is about him
  std::vector<UserRules> some;              // whole: what a block does not say is everybody's
  UserRules programs{.suspend_factor = 0};  // users of this machine who send without logging in

  // A block of that very name, else the first pattern that fits, else everybody's or programs'.
  const UserRules& of(const std::string& user, bool program) const;
};

}  // namespace sidegate::intake
