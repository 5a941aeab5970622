#include "rewrite/rules.h"

#include <algorithm>

#include "base/text.h"
#include "mail/idna.h"
#include "rewrite/address_fields.h"
#include "rewrite/address_list.h"

namespace sidegate::rewrite {
namespace {

constexpr unsigned kMostRounds = 10;

constexpr std::pair<std::string_view, AddressClass> kClasses[] = {{"envelope_sender", kEnvelopeSender},
                                                                  {"envelope_recipient", kEnvelopeRecipient},
                                                                  {"header_sender", kHeaderSender},
                                                                  {"header_recipient", kHeaderRecipient}};

bool is_sender(AddressClass where) {
  return (where & (kEnvelopeSender | kHeaderSender)) != 0;
}

void note(Steps* steps, std::string rule, const std::string& before, const std::string& after, std::string because,
          std::string at = {}) {
  if (steps) steps->push_back({std::move(rule), before, after, std::move(because), std::move(at)});
}

// Canonical maps are asked again for what they answer, until that stays: chains end, circles are left after some
// rounds.
void map_repeatedly(const AddressMap& map, std::string& address, const OwnNames& own, const std::string& rule,
                    Steps* steps) {
  for (unsigned round = 0; round < kMostRounds; ++round) {
    auto hit = map.find(address, own, true);
    if (!hit || same_address(hit->address, own.qualified(address))) return;
    note(steps, rule, address, hit->address, hit->entry->key + " " + hit->entry->value, hit->entry->at);
    address = std::move(hit->address);
  }
}

// By the classes of a rule's fields.
template <typename Rules>
std::optional<std::string> rewritten_header(const Rules& rules, std::string_view block) {
  if (rules.empty()) return std::nullopt;
  return replace_addresses(block, [&](std::string_view address, FieldClass field) -> std::optional<std::string> {
    std::string made = rules.apply(address, field == FieldClass::kSender ? kHeaderSender : kHeaderRecipient);
    if (made == address) return std::nullopt;
    return made;
  });
}

}  // namespace

std::optional<AddressClass> class_of_word(std::string_view word) {
  for (const auto& [name, value] : kClasses) {
    if (name == word) return value;
  }
  return std::nullopt;
}

std::string Canonical::apply(std::string address, AddressClass where, const OwnNames& own, std::string_view suffix,
                             Steps* steps) const {
  const bool from = is_sender(where);
  const AddressMap& own_kind = from ? sender : recipient;
  if (!own_kind.empty())
    map_repeatedly(own_kind, address, own, fmt::format("{}_canonical{}", from ? "sender" : "recipient", suffix), steps);
  if (!all.empty() && (classes & where)) map_repeatedly(all, address, own, fmt::format("canonical{}", suffix), steps);
  return address;
}

std::string Masquerade::apply(std::string address, AddressClass where, const OwnNames& own, Steps* steps) const {
  if (domains.empty() || !(classes & where)) return address;
  const std::string whole = own.qualified(address);
  const std::string_view domain = domain_part(whole);
  const std::string user = unquoted(local_part(whole));
  for (const std::string& exception : exceptions) {
    std::string_view text = exception;
    const bool below_only = text.starts_with('.');
    if (text.starts_with('@') || below_only) text.remove_prefix(1);
    const bool left = mail::is_within(domain, text) && !(below_only && mail::same_domain(domain, text));
    if (iequals(user, exception) || same_address(whole, exception) || left) return address;
  }
  for (std::string_view to : domains) {
    const bool stays = to.starts_with('!');
    if (stays) to.remove_prefix(1);
    if (to.starts_with('.')) to.remove_prefix(1);
    if (!mail::is_within(domain, to)) continue;
    if (stays || (mail::same_domain(domain, to) && whole == address)) return address;
    // In the form that every relay takes, with SMTPUTF8 or without.
    std::string made = std::string(local_part(whole)) + "@" + (is_ascii(to) ? std::string(to) : mail::dns_form(to));
    note(steps, "masquerade_domains", address, made, std::string(to));
    return made;
  }
  return address;
}

std::string Incoming::apply(std::string_view address, AddressClass where, Steps* steps) const {
  if (address.empty()) return {};
  return canonical.apply(std::string(address), where, own, "", steps);
}

std::optional<std::string> Incoming::header(std::string_view block) const {
  return rewritten_header(*this, block);
}

std::string Outgoing::apply(std::string_view address, AddressClass where, Steps* steps) const {
  if (address.empty()) return {};
  std::string made = canonical.apply(std::string(address), where, own, "_out", steps);
  made = masquerade.apply(std::move(made), where, own, steps);
  auto hit = generic.find(made, own, false);  // generic(5): once
  if (!hit || hit->address == made) return made;
  note(steps, "generic", made, hit->address, hit->entry->key + " " + hit->entry->value, hit->entry->at);
  return std::move(hit->address);
}

std::optional<std::string> Outgoing::header(std::string_view block) const {
  return rewritten_header(*this, block);
}

bool is_listed(std::string_view address, const std::vector<std::string>& allowed) {
  const std::string_view domain = domain_part(address);
  return std::ranges::any_of(allowed, [&](std::string_view one) {
    if (one.starts_with("*@")) one.remove_prefix(1);
    if (one.starts_with('@')) return mail::same_domain(domain, one.substr(1));
    if (one.starts_with('.'))
      return mail::is_within(domain, one.substr(1)) && !mail::same_domain(domain, one.substr(1));
    return same_address(address, one);
  });
}

}  // namespace sidegate::rewrite
