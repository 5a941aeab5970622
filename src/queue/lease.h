// What goes in and out of the scheduler: ways, leases and what became of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/queue_id.h"
#include "queue/records.h"
#include "quota/counters.h"

namespace sidegate::queue {

// Index into the configured ways; stable while a way of that name exists. A member of a family (queue/families.h) has
// an id of its own with the highest bit set, made when a class is routed to the family.
using WayId = std::uint32_t;
inline constexpr WayId kNoWay = 0xFFFFFFFF;
inline constexpr WayId kFirstMember = 0x80000000;
constexpr bool is_member(WayId id) {
  return id >= kFirstMember && id != kNoWay;
}
using Route = std::vector<WayId>;                      // ordered ways out; the first that is up is taken
using Router = std::function<Route(const ClassKey&)>;  // pure

struct WayLimits {
  std::string name;
  unsigned connections = 10;
  unsigned each = 0;                      // not 0: a family, `connections` over all its members and so many of each
  std::string account = {};               // ways of one account share what they use of their limits; empty: of none
  std::vector<quota::Limit> limits = {};  // on messages and recipients of the account
  bool next_when_full = true;             // what finds no room goes by the next way; else it waits for this one
  std::uint32_t edition = 0;              // another one than before: its settings have changed, so it is tried at once
};

// One message for one way, all of its classes that go there now. Held until finish().
struct Lease {
  QueueId id;
  WayId way = 0;
  std::vector<ClassId> classes;
  std::uint16_t attempts = 0;  // made before
  std::uint64_t epoch = 0;
  std::uint8_t priority = 0;
  // Of an account with limits: recipients that are counted for it, at least one a class, and when.
  std::uint32_t charged = 0;
  SteadyTime charged_at{};
};

// What became of one class of a lease.
struct ClassResult {
  ClassId class_id = 0;
  enum class Next : std::uint8_t {
    kEnd,      // no recipient of it is left
    kAt,       // try again at `due`
    kNextWay,  // at once, by the next of its ways that is up; `due` if there is none
    kSameWay,  // at once or when the way is up again: the way's trouble, no attempt of the message
    kHold,     // until released
  } next = Next::kEnd;
  WallTime due{};
  bool counts = true;       // as an attempt
  std::uint32_t taken = 0;  // recipients that the peer took, or may have taken
};

// A limit of a way's account and how much of it is used.
struct UsedLimit {
  quota::Limit limit;
  std::uint64_t used = 0;
};

struct WayStatus {
  WayId id = 0;
  std::string name;
  bool up = true;
  std::string reason;                // why it is down
  std::optional<WallTime> again_at;  // when it is tried next
  unsigned connections = 0;
  std::uint64_t ready = 0;    // messages waiting for it now
  WayId family = kNoWay;      // of a member: its family, whose name it bears
  std::string domain = {};    // of a member: which one
  std::uint64_t members = 0;  // of a family
  std::string account = {};
  std::vector<UsedLimit> limits = {};
  std::optional<WallTime> room_at = {};  // full: when there is room again
  bool waits_when_full = false;
  bool spent = false;  // down because its provider says that the account has used up what it may
};
// Who a member is.
struct MemberName {
  WayId family = kNoWay;
  std::string domain;
};
// Where a message's entries are; all false: it waits for its due time.
struct Standing {
  bool leased = false, ready = false, held = false;
};
struct Totals {
  std::uint64_t messages = 0, ready = 0, waiting = 0, active = 0, held = 0;
};

}  // namespace sidegate::queue
