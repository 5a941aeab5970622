#include "intake/own_addresses.h"

#include <algorithm>

#include "alias/address.h"
#include "base/text.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/idna.h"
#include "rewrite/address_list.h"

namespace sidegate::intake {
namespace {

constexpr std::size_t kMostSenders = 100;  // in one field: each is looked up

std::string canonical(std::string_view address) {
  alias::Split split = alias::split_address(address);
  return lower(split.local) + "@" + split.domain;
}

std::string_view domain_of(std::string_view canonical) {
  return canonical.substr(canonical.rfind('@') + 1);
}

}  // namespace

// A domain ("@example.jp") does not hold those below it; "*" is every address.
bool OwnAddresses::matches(std::string_view address) const {
  const std::string wanted = canonical(address);
  const std::string_view domain = domain_of(wanted);
  for (const std::string& own : rules_.senders) {
    if (own == "*") return true;
    if (own.starts_with('@') ? mail::same_domain(own.substr(1), domain) : canonical(own) == wanted) return true;
  }
  const std::string name = canonical(user_);
  if (!domain_of(name).empty()) return name == wanted;
  if (wanted.substr(0, wanted.rfind('@')) != lower(alias::unquoted(user_))) return false;
  return mail::same_domain(domain, domains_.hostname) ||
         std::ranges::any_of(domains_.local, [&](const std::string& own) { return mail::same_domain(own, domain); });
}

bool OwnAddresses::has(std::string_view address) const {
  if (matches(address)) return true;
  const alias::Split split = alias::split_address(address);
  auto tag = alias::tag_begins(split.local, domains_.delimiters);
  return tag && matches(alias::join_address(split.local.substr(0, *tag), split.domain));
}

std::string OwnAddresses::mailbox() const {
  return mail::qualified(user_, domains_.hostname);
}

std::string OwnAddresses::first() const {
  for (const std::string& own : rules_.senders) {
    if (own.find('@', 1) != std::string::npos) return own;
  }
  return mailbox();
}

std::vector<NamedSender> named_senders(std::string_view header, std::string_view hostname) {
  std::vector<NamedSender> all;
  bool seen[2] = {};
  mail::for_each_field(header, [&](const mail::Field& field) {
    const bool from = iequals(field.name, "From");
    if (!from && !iequals(field.name, "Sender")) return true;
    const std::string_view name = from ? "From" : "Sender";
    auto list = rewrite::parse_address_list(field.value);
    // RFC 5322 section 3.6: each of them once. Which of two a reader is shown, nobody knows.
    if (std::exchange(seen[from], true) || !list || list->addresses.empty() || list->addresses.size() > kMostSenders) {
      all.push_back({name, {}});
      return true;
    }
    for (const rewrite::ListedAddress& one : list->addresses)
      all.push_back({name, mail::qualified(one.address, std::string(hostname))});
    return true;
  });
  return all;
}

}  // namespace sidegate::intake
