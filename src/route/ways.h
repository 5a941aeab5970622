// Which ways out a class may go, in order. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mail/envelope.h"
#include "mail/reply.h"
#include "queue/records.h"
#include "queue/scheduler.h"
#include "route/conditions.h"

namespace sidegate::route {

// Mail that ends on this machine has a class of its own kind: no DNS domain begins with a dot.
inline constexpr std::string_view kMailbox = ".mailbox", kPipe = ".pipe", kFile = ".file", kDiscard = ".discard";
inline bool is_local(const queue::ClassKey& key) {
  return key.recipient_domain.starts_with('.');
}

// Mail that leaves goes by the first [[route]] block that fits, else by all ways in file order; mail that stays by the
// built-in ones. A relay domain's mail a route may refuse, hold, discard or keep here; where it would lead it out, or
// none fits, it goes to the domain's next hop.
struct Rule {
  enum class For : std::uint8_t { kAll, kLeaves, kStays, kMailboxes, kDomain, kRoute };
  std::vector<queue::WayId> ways;
  For whom = For::kAll;
  std::string domain = {};     // of kDomain, lower case
  Conditions conditions = {};  // of kRoute
  std::size_t block = 0;       // of kRoute: which [[route]], from 1
  // Of kRoute: mail is held when it comes in. Once released it goes as if the rule were not there.
  bool holds = false;
  bool leads_out = false;  // of kRoute: to ways of the world, which would bring a relay domain's mail back to us
  bool fits(const queue::ClassKey& key) const;
};

// What a route says of mail that comes in.
struct Decision {
  enum class What : std::uint8_t { kPass, kRefuse, kHold } what = What::kPass;
  mail::Reply refusal = {};  // of kRefuse
  std::string why = {};      // of kHold: for whoever looks at the queue
};

class Table {
 public:
  explicit Table(std::vector<Rule> rules) : rules_(std::move(rules)) {}
  // All of `count` ways for everyone, in order.
  static Table all(std::size_t count);

  // The first rule that fits and does not hold wins; empty when none does (the message then waits, promise 4).
  const std::vector<queue::WayId>& ways(const queue::ClassKey& key) const;
  const Rule* rule(const queue::ClassKey& key) const;           // null: none fits
  const Rule* rule_at_entry(const queue::ClassKey& key) const;  // and one that holds counts
  const std::vector<Rule>& rules() const { return rules_; }
  // The ways out that mail of this sender (lower case; nullopt: of anyone) may go, whoever it is for and whoever brings
  // it: those of each rule that may fit, up to the first that fits whatever else the mail is. Relay domains have a way
  // of their own and are left out. Each once.
  std::vector<queue::WayId> ways_of_sender(const std::optional<std::string>& sender) const;
  // The way after `way` for this class, if there is one.
  std::optional<queue::WayId> after(const queue::ClassKey& key, queue::WayId way) const;

 private:
  const Rule* decides(const Rule& fitting, const queue::ClassKey& key) const;

  std::vector<Rule> rules_;
};

// What stands for the domain in a recipient's class: its own in lower case, or ".mailbox", ".pipe", ".file", ".discard"
// for one that ends on this machine (no domain begins with a dot).
std::string class_domain(const mail::Recipient& recipient);
// What is demanded of TLS on this message's way; what its class has.
mail::TlsDemand tls_of(const mail::Envelope& envelope);
// The class of one recipient.
queue::ClassKey class_key(const mail::Envelope& envelope, const mail::Origin& origin, const mail::Recipient& recipient);

}  // namespace sidegate::route
