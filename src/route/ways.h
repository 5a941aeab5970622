// Which ways out a class may go, in order. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mail/envelope.h"
#include "queue/records.h"
#include "queue/scheduler.h"

namespace sidegate::route {

// A routing rule will name conditions on the class; today the one rule is "all ways, in file order".
struct Rule {
  std::vector<queue::WayId> ways;
  bool fits(const queue::ClassKey& key) const { return true; }
};

class Table {
 public:
  explicit Table(std::vector<Rule> rules) : rules_(std::move(rules)) {}
  // All of `count` ways for everyone, in order.
  static Table all(std::size_t count);

  // The first rule that fits wins; empty when none does (the message then waits, promise 4).
  const std::vector<queue::WayId>& ways(const queue::ClassKey& key) const;
  // The way after `way` for this class, if there is one.
  std::optional<queue::WayId> after(const queue::ClassKey& key, queue::WayId way) const;

 private:
  std::vector<Rule> rules_;
};

// The class of one recipient.
queue::ClassKey class_key(const mail::Envelope& envelope, const mail::Origin& origin, std::string_view recipient);

}  // namespace sidegate::route
