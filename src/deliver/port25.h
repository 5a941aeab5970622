// What is known of port 25 on this line: open, closed here, or answered by somebody in between. Decisions alone: no
// sockets, no names asked for, time comes in. doc/design.md, "Straight to the MX".
//
// One host that does not answer says nothing about the line. Several unrelated ones say that either port 25 is closed
// or the line is down; which of the two, something else that answers tells. One host that answers on port 25 with its
// own name says that it is open.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace sidegate::deliver {

using namespace std::chrono_literals;

struct MxHost {
  std::string name, address;  // "mx.example.org", "192.0.2.1"
};

// The rules, with the numbers they are documented with.
struct Port25Rules {
  unsigned unrelated = 3;                           // so many hosts of different organisations or networks
  Duration window = 30min;                          // within
  Duration ask_again = 1min;                        // after evidence was looked for in vain
  Duration evidence_for = 10min;                    // something else that answered is worth so long
  Duration first_pause = 5min, longest_pause = 1h;  // between two looks whether it is open again
  Duration remember_greeters = 24h;
  Duration believe_change = 1h;  // a host that offered STARTTLS and does not any more
};

class Port25 {  // thread-safe
 public:
  explicit Port25(Port25Rules rules = {}) : rules_(rules) {}

  enum class State : std::uint8_t { kOpen, kClosed, kIntercepted };

  struct Step {
    enum Kind : std::uint8_t {
      kNone,      // nothing follows from it
      kAsk,       // look whether something else answers, and say so by evidence()
      kClosed,    // from now on, for `pause`
      kStill,     // it was tried again and is as it was: for `pause`
      kSuspect,   // of answered() and promise_broken(): perhaps not the host itself; do not send now
      kImpostor,  // of answered(): not the host itself; from now on, for `pause`
      kOpen,      // from now on
    } kind = kNone;
    Duration pause{};
  };

  // No connection to its port 25: time-out, refused and unreachable are alike here.
  Step failed(SteadyTime now, const MxHost& host, ErrorKind kind);
  // Another service of the outside world answered, or none did.
  Step evidence(SteadyTime now, bool something_answers);
  void other_answered(SteadyTime now);  // a relay's connection stands: kept as evidence

  // It greeted us and said EHLO's name. `own`: that name belongs to the host or its domain (name_belongs), or its
  // address does (the name leads to it). starttls: it was offered.
  Step answered(SteadyTime now, const MxHost& host, const std::string& greeter, bool own, bool starttls);

  // It offers no STARTTLS, and its domain says elsewhere that it does (RFC 7672 section 2.2; RFC 8461 section 3).
  Step promise_broken(SteadyTime now, const MxHost& host);

  void set_first_pause(Duration pause);  // from the next time on that it is found closed

  State state() const;
  bool ever_open() const;      // somebody's own server has answered on port 25 since the start
  std::string reason() const;  // of kClosed and kIntercepted: one sentence with the hosts or the interceptor's name
  std::string interceptor() const;

 private:
  struct Seen {
    std::string organisation, address, host;
    SteadyTime at{};
    bool starttls = false;
    ErrorKind kind{};
  };
  static unsigned unrelated(const std::vector<Seen>& seen);
  unsigned witnesses() const;
  static void note(std::vector<Seen>& list, Seen seen);
  void forget(std::vector<Seen>& list, SteadyTime now, Duration after) const;
  Step close(SteadyTime now, State state, std::string reason);
  Step again(SteadyTime now);
  Step open();
  bool stripped(const MxHost& host, bool starttls);
  Step without_tls(SteadyTime now, const Seen& seen);
  std::optional<Step> stripped_at_several(SteadyTime now, const Seen& seen);

  Port25Rules rules_;
  mutable std::mutex mutex_;
  State state_ = State::kOpen;
  bool ever_ = false, asking_ = false;
  SteadyTime ask_from_{}, other_at_ = SteadyTime::min();
  Duration pause_{};
  SteadyTime looked_{};  // when the pause under way began
  std::string reason_, interceptor_;
  std::vector<Seen> failures_;
  std::map<std::string, std::vector<Seen>> greeters_;  // whose name is not the host's
  std::vector<Seen> stripped_;
  std::map<std::string, bool> offered_;  // host: STARTTLS, as it was last known
};

// Whether an EHLO name is of the host's own house: the same organisation as the MX host or the recipient's domain.
bool name_belongs(const std::string& greeter, const std::string& host, const std::string& domain);

}  // namespace sidegate::deliver
