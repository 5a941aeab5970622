// The ways out of one configuration, as the couriers of all loops share them: settings, TLS context, health, and what
// was learnt about each. Health decides how long a way waits; the scheduler does the waiting.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deliver/busy.h"
#include "deliver/direct.h"
#include "deliver/members.h"
#include "deliver/passed_over.h"
#include "deliver/rungs.h"
#include "deliver/settings.h"
#include "queue/scheduler.h"
#include "route/ways.h"
#include "smtp/client_session.h"
#include "tls/context.h"

namespace sidegate::deliver {

// What a trouble of the way leads to.
struct Advice {
  enum class Response : std::uint8_t {
    kGoOn,         // the others are fine: a new connection may be opened at once
    kSlowOpening,  // connections stand and work, but no more can be had: none is opened for `pause`
    kDown,         // nothing goes for `pause`
  } response = Response::kDown;
  Duration pause{};
  bool say = false;  // the first of this kind: one line in the log
};

class Health {  // thread-safe
 public:
  void set_first_pause(Duration pause) { first_pause_ = pause; }  // before it is shared
  // `standing`: other connections of this way that are up now. `least`: the pause is at least that long.
  Advice trouble(SteadyTime now, smtp::Phase phase, std::string_view kind, unsigned standing, Duration least);
  // A step up to `phase` went well. True when that ends a trouble: one line in the log, Scheduler::way_up.
  bool good(smtp::Phase phase);
  bool may_open(SteadyTime now) const;

 private:
  Duration first_pause_ = RelaySettings().retry_after;
  mutable std::mutex mutex_;
  unsigned count_ = 0;                // troubles without a good between them
  std::optional<smtp::Phase> phase_;  // of the trouble that has not ended
  std::string kind_;
  SteadyTime open_from_{};
};

// Learnt: this relay takes nothing from <>. It is asked again once a day.
class NullSender {  // thread-safe
 public:
  bool refused(SteadyTime now) const;
  bool learn(SteadyTime now);  // true: it was not known

 private:
  std::atomic<SteadyTime> refused_until_{SteadyTime::min()};
};

// Messages of which something was told: the log says it once of each, as long as there are not too many.
class ToldOnce {  // thread-safe
 public:
  bool first(QueueId id);

 private:
  static constexpr std::size_t kMost = 1000;
  std::mutex mutex_;
  std::deque<QueueId> told_;
};

struct Way {
  queue::WayId id = 0;
  RelaySettings settings;                         // host and port apart
  std::shared_ptr<const tls::ClientContext> tls;  // null: tls_error, or tls = "none"
  // For a peer of that name: made once and kept. Thread-safe. null: tls_error.
  std::shared_ptr<const tls::ClientContext> tls_for(const std::string& name);
  std::string tls_error;      // an unreadable CA file: the way waits
  bool retired = false;       // its block is gone from the configuration
  std::uint32_t edition = 0;  // of the block: how often one of this name has been made anew
  // Of direct delivery: the family, and of its members which destination it is (members.h).
  std::shared_ptr<Direct> direct;
  std::shared_ptr<Way> family;  // null: this is no member
  std::string domain;
  mail::TlsDemand demand = mail::TlsDemand::kUsual;  // and what its messages want of TLS (RFC 8689)
  std::string member;                                // as the scheduler calls it: the domain, and the demand
  queue::WayId table_id() const { return family ? family->id : id; }  // as the routing table knows it

  Health health;
  Busy busy;                                  // of the local way: its commands
  std::atomic<unsigned> standing{0};          // connections that are up, on all loops
  std::atomic<bool> proven{false};            // a session has been ready since the last trouble with one
  std::atomic<bool> probing{false};           // and the one that tries is under way
  std::atomic<bool> bdat_broken{false};       // learnt: this relay breaks on BDAT
  std::atomic<std::uint64_t> most_octets{0};  // learnt: its SIZE; 0: not known, or none
  std::atomic<bool> tls_broken{false};        // learnt, where TLS is opportunistic: its handshake fails
  ToldOnce broken_signatures;                 // of others, by what this way demands
  NullSender null_sender;                     // learnt: this relay takes no reports from <>
  std::atomic<int> good_family{0};            // 4 or 6: the one that worked last
  PassedOver passed_over;                     // learnt: hosts of this destination to be asked after the others
  Rungs rungs;                                // learnt: which of its hosts and ports works
  enum class Port465 : int { kUnknown, kTls, kNo };
  std::atomic<Port465> port465{Port465::kUnknown};

  // What the DNS said of a relay that is a domain (mx, srv), for when it does not answer.
  std::vector<Candidate> found() const;
  void set_found(std::vector<Candidate> candidates);

 private:
  mutable std::mutex found_mutex_;
  std::vector<Candidate> found_;
  std::mutex contexts_mutex_;
  std::map<std::string, std::shared_ptr<const tls::ClientContext>> contexts_;  // of other names than the block's
};

// One snapshot: couriers keep the one a connection began with.
struct Ways {
  DeliverSettings settings;
  std::vector<std::shared_ptr<Way>> list;  // index: WayId
  route::Table table = route::Table::all(0);
  std::shared_ptr<Way> direct;  // the family
  bool direct_used = false;     // some mail may go by it
  std::shared_ptr<Members> members = std::make_shared<Members>();

  // Any way by its id; of a family its member, made where nobody has looked for it lately. null: it is gone.
  std::shared_ptr<Way> find(queue::WayId id, const queue::Scheduler& scheduler, SteadyTime now) const;

  // previous: unchanged blocks keep their way (health, what was learnt); every name keeps its id.
  static std::shared_ptr<const Ways> make(DeliverSettings settings, const Ways* previous = nullptr);
  route::Decision at_entry(const queue::ClassKey& key) const;
  bool decides_at_entry() const;                 // some route refuses or holds
  std::vector<queue::WayLimits> limits() const;  // for Scheduler::set_ways
  // What the relays' SIZE says, as far as it is known; 0: no bound. For Scheduler::set_sizes: of any mail that may
  // come, and of all; and of mail of one class.
  std::uint64_t largest() const;
  std::uint64_t smallest() const;
  std::uint64_t most_octets(const queue::ClassKey& key) const;
};

// Whose limits a way counts on: the same host and user are one account. Empty: none (what stays on this machine).
std::string account_of(const RelaySettings& relay);
std::vector<quota::Limit> limits_of(const RelaySettings& relay);

// "[host]:port" and "host" with a port of its own. False: malformed.
bool split_host(const std::string& text, std::string* host, std::uint16_t* port);

}  // namespace sidegate::deliver
