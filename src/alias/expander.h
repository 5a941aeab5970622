// An address in, the recipients out that its mail ends at, and every step between. The order: virtual map, then (in a
// local domain) aliases, then users and their ~/.forward. What the map says is looked up again, until nothing changes.
//
// A name that is met again while it is being expanded is not expanded twice: "root: root, me@example.org" keeps a copy
// in root's mailbox. Where there is no such mailbox it is a loop.
//
// Promise 4: an address whose files are broken or unreadable is deferred, never refused, never half delivered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alias/settings.h"
#include "alias/sources.h"
#include "alias/tables.h"
#include "mail/envelope.h"

namespace sidegate::alias {

inline constexpr unsigned kMostLevels = 50;
inline constexpr std::size_t kMostRecipients = 10'000;
inline constexpr std::size_t kMostSteps = 50'000;

enum class StepKind : unsigned char {
  kAddress,    // an address is looked at
  kVirtual,    // a virtual file maps it
  kCatchAll,   // "@domain" of a virtual file does
  kTag,        // looked up without its tag
  kAlias,      // an alias file does
  kOwner,      // bounces go to owner-NAME
  kInclude,    // an :include: file was read
  kForward,    // a ~/.forward was
  kNoForward,  // there is one that may not be believed
  kBuiltIn,    // postmaster and mailer-daemon without a line of their own
  kUser,       // a Unix user
  kMailbox,    // --- the ends
  kCommand,
  kFile,
  kDiscard,
  kLeaves,
  kDuplicate,  // that end was reached before
  kUnknown,
  kLoop,
  kTrouble,  // broken, unreadable: deferred
};
const char* name(StepKind kind);  // "virtual", "catch_all": stable words for --json

struct Step {
  StepKind kind = StepKind::kAddress;
  unsigned depth = 0;
  std::string subject;  // what was looked up or reached
  std::string detail;   // what it led to, or why not
  Place at;
};

enum class Fate : unsigned char {
  kNotOurs,   // it stands as it is: relayed for those who may
  kResolved,  // recipients say where to
  kUnknown,   // a domain of ours, and nobody of that name: 550 5.1.1
  kDeferred,  // our own trouble: 451; problems say which
};

struct Expansion {
  Fate fate = Fate::kNotOurs;
  std::vector<mail::Recipient> recipients;
  std::vector<Step> steps;
  Problems problems;  // found on the way: to be told once
};

class Expander {
 public:
  // All three outlive it.
  Expander(const Settings& settings, const Tables& tables, Sources& sources)
      : settings_(settings), tables_(tables), sources_(sources) {}

  // given.address has a domain. null_sender: bounces of bounces go nowhere, so owner- addresses take no part.
  Expansion expand(const mail::Recipient& given, bool null_sender = false);

 private:
  const Settings& settings_;
  const Tables& tables_;
  Sources& sources_;
};

// Whether expand() could say anything but kNotOurs: a few look-ups, nothing is asked of the machine.
bool concerns(const Settings& settings, const Tables& tables, std::string_view address);
bool is_local_domain(const Settings& settings, std::string_view domain);

}  // namespace sidegate::alias
