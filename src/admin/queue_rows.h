// A queued message as people's tools see it: JSON objects with stable keys (doc/queue-commands.md). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "queue/scheduler.h"
#include "queue/store.h"

namespace sidegate::admin {

inline constexpr std::size_t kPage = 200;  // messages read from the store at once

// What only the running server knows of a message.
struct Live {
  bool known = false;      // false: read from disk, the server is down
  bool leased = false;     // an attempt is under way
  bool suspended = false;  // its user is: it waits for `sidegate user resume`
  std::string relay;       // it leaves by this one next
  bool relay_up = true;
  std::string relay_reason;
  std::optional<WallTime> relay_again_at;
  std::string relay_full;  // by which of its account's limits; empty: there is room
  std::optional<WallTime> relay_room_at;
  std::string advice;  // a word that `sidegate` turns into what to do: "relay-needed", "no-way-out"
};

// Port 25 leads nowhere and no relay is set up: the first state of most installations.
inline constexpr const char* kRelayNeeded = "relay-needed";
// No relay is set up, and [direct] enabled = false: nothing leaves.
inline constexpr const char* kNoWayOut = "no-way-out";
inline constexpr const char* kNoWayOutReason = "no relay is set up, and direct delivery is switched off";
// ways: of the message, or all. True: what is down among them goes straight to MX hosts, and there is nothing else.
bool is_relay_needed(const std::vector<queue::WayStatus>& ways);

// Whether this recipient's story has not ended: neither delivered nor failed.
bool is_pending(const queue::ListRow& row, std::size_t n);

// The way that mail of suspended users is routed to: it takes none (daemon/server.cc). No relay can be called so.
inline constexpr const char* kSuspendedWay = "(suspended)";

// "active" an attempt is under way; "held" until released; "waiting" its relay is down; "deferred" until `next`;
// "ready".
const char* state_of(const queue::ListRow& row, const Live& live, WallTime now);

std::string list_row_json(const queue::ListRow& row, const Live& live, WallTime now);
// The lines that make the way of that name take a sender that it has refused; empty where the way is not known.
using SenderRule = std::function<std::string(const std::string& way, const std::string& sender)>;
std::string show_json(const queue::ListRow& row, const std::vector<queue::AttemptRow>& attempts, const Live& live,
                      WallTime now, const SenderRule& rule = {});
std::string limit_words(const queue::UsedLimit& used);                    // "500 of 500 messages_per_day"
std::string status_json_ways(const std::vector<queue::WayStatus>& ways);  // a JSON list
std::string action_json(QueueId id, const char* result, const queue::ListRow* row);

std::string time_text(WallTime at);  // "2026-11-21T22:25:12Z"

}  // namespace sidegate::admin
