#include "route/ways.h"

#include <algorithm>

#include "base/text.h"
#include "mail/idna.h"

namespace sidegate::route {

bool Rule::fits(const queue::ClassKey& key) const {
  switch (whom) {
    case For::kAll:
      return true;
    case For::kLeaves:
      return !is_local(key);
    case For::kStays:
      return is_local(key);
    case For::kDomain:
      return mail::same_domain(key.recipient_domain, domain);
    case For::kMailboxes:
      return key.recipient_domain == kMailbox;
    case For::kRoute:
      return !is_local(key) && conditions.misfit(key) == Misfit::kNone;
  }
  return false;
}

Table Table::all(std::size_t count) {
  Rule everyone;
  for (std::size_t i = 0; i < count; ++i) everyone.ways.push_back(static_cast<queue::WayId>(i));
  return Table({std::move(everyone)});
}

const Rule* Table::rule(const queue::ClassKey& key) const {
  auto rule = std::ranges::find_if(rules_, [&](const Rule& r) { return !r.holds && r.fits(key); });
  return rule == rules_.end() ? nullptr : decides(*rule, key);
}

const Rule* Table::rule_at_entry(const queue::ClassKey& key) const {
  auto rule = std::ranges::find_if(rules_, [&](const Rule& r) { return r.fits(key); });
  return rule == rules_.end() ? nullptr : decides(*rule, key);
}

const Rule* Table::decides(const Rule& fitting, const queue::ClassKey& key) const {
  if (!fitting.leads_out) return &fitting;
  auto hop = std::ranges::find_if(rules_, [&](const Rule& r) { return r.whom == Rule::For::kDomain && r.fits(key); });
  return hop == rules_.end() ? &fitting : &*hop;
}

const std::vector<queue::WayId>& Table::ways(const queue::ClassKey& key) const {
  static const std::vector<queue::WayId> none;
  const Rule* first = rule(key);
  return first ? first->ways : none;
}

std::vector<queue::WayId> Table::ways_of_sender(const std::optional<std::string>& sender) const {
  std::vector<queue::WayId> out;
  for (const Rule& rule : rules_) {
    const bool leaves =
        rule.whom == Rule::For::kRoute || rule.whom == Rule::For::kLeaves || rule.whom == Rule::For::kAll;
    const Conditions::Fit fit = rule.conditions.of_sender(sender);
    if (!leaves || rule.holds || fit == Conditions::Fit::kNever) continue;
    for (queue::WayId id : rule.ways) {
      if (std::ranges::find(out, id) == out.end()) out.push_back(id);
    }
    if (fit == Conditions::Fit::kAlways) break;
  }
  return out;
}

std::optional<queue::WayId> Table::after(const queue::ClassKey& key, queue::WayId way) const {
  const auto& all = ways(key);
  auto at = std::ranges::find(all, way);
  if (at == all.end() || ++at == all.end()) return std::nullopt;
  return *at;
}

// RFC 8689 section 5: a report about such a message asks for the same, and is not lost where that cannot be had.
mail::TlsDemand tls_of(const mail::Envelope& envelope) {
  const bool only_asks = envelope.tls == mail::TlsDemand::kRequired && envelope.reverse_path.empty();
  return only_asks ? mail::TlsDemand::kUsual : envelope.tls;
}

std::string class_domain(const mail::Recipient& recipient) {
  switch (recipient.destination) {
    case mail::Destination::kRoute:
      break;
    case mail::Destination::kMailbox:
      return std::string(kMailbox);
    case mail::Destination::kPipe:
      return std::string(kPipe);
    case mail::Destination::kFile:
      return std::string(kFile);
    case mail::Destination::kDiscard:
      return std::string(kDiscard);
  }
  std::string_view address = recipient.address;
  auto at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : lower(address.substr(at + 1));
}

queue::ClassKey class_key(const mail::Envelope& envelope, const mail::Origin& origin,
                          const mail::Recipient& recipient) {
  queue::ClassKey key;
  key.recipient_domain = class_domain(recipient);
  key.sender_key = origin.user.empty() ? lower(envelope.reverse_path) : lower(origin.user);
  key.user = origin.user;
  key.listener = origin.listener;
  key.sender = lower(envelope.reverse_path);
  if (recipient.destination == mail::Destination::kRoute) key.tls = tls_of(envelope);
  return key;
}

}  // namespace sidegate::route
