#include "intake/relay_domains.h"

#include "base/text.h"
#include "mail/idna.h"

namespace sidegate::intake {
namespace {

constexpr auto kYes = std::chrono::hours(24), kNo = std::chrono::hours(1), kStale = std::chrono::hours(24 * 31);

}  // namespace

std::unordered_set<std::string> parse_recipient_list(std::string_view text) {
  std::unordered_set<std::string> list;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line.substr(0, line.find('#')));
    std::string_view word = line.substr(0, line.find_first_of(" \t\r:"));
    if (!word.empty()) list.insert(mail::dns_form_of_address(word));
  }
  return list;
}

RelayDomains::RelayDomains(std::vector<RelayDomainSettings> domains, std::string delimiters)
    : delimiters_(std::move(delimiters)) {
  for (RelayDomainSettings& one : domains) {
    RelayDomain made{std::move(one), {}};
    made.list = parse_recipient_list(made.list_text);
    made.list_text.clear();
    std::string name = mail::dns_form(made.domain);
    domains_.emplace(std::move(name), std::move(made));
  }
}

const RelayDomain* RelayDomains::find(std::string_view domain) const {
  if (domains_.empty()) return nullptr;
  auto at = domains_.find(mail::dns_form(domain));
  return at == domains_.end() ? nullptr : &at->second;
}

bool RelayDomains::lists(const RelayDomain& domain, std::string_view local_part) const {
  const std::string local = lower(local_part);
  const std::string at_domain = "@" + mail::dns_form(domain.domain);
  auto has = [&](const std::string& name) {
    return domain.list.contains(name) || domain.list.contains(name + at_domain);
  };
  if (local == "postmaster" || domain.list.contains(at_domain) || has(local)) return true;
  const std::size_t tag = local.find_first_of(delimiters_);
  return tag != std::string::npos && tag > 0 && has(local.substr(0, tag));
}

std::optional<Known> KnownRecipients::fresh(const std::string& address) const {
  std::lock_guard lock(mutex_);
  auto at = entries_.find(address);
  if (at == entries_.end()) return std::nullopt;
  const auto age = clock_.steady() - at->second.at;
  if (at->second.exists) return age < kYes ? std::optional(Known::kExists) : std::nullopt;
  return age < kNo ? std::optional(Known::kUnknown) : std::nullopt;
}

bool KnownRecipients::existed(const std::string& address) const {
  std::lock_guard lock(mutex_);
  auto at = entries_.find(address);
  return at != entries_.end() && at->second.exists && clock_.steady() - at->second.at < kStale;
}

void KnownRecipients::learn(const std::string& address, Known known) {
  if (known == Known::kCannotTell) return;
  std::lock_guard lock(mutex_);
  // A list of names that are tried one after the other may not grow the table: what is there goes, a no first.
  if (entries_.size() >= most_ && !entries_.contains(address)) {
    std::erase_if(entries_, [](const auto& entry) { return !entry.second.exists; });
    if (entries_.size() >= most_) entries_.clear();
  }
  entries_[address] = {known == Known::kExists, clock_.steady()};
}

}  // namespace sidegate::intake
