#include "deliver/tls_policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sidegate::deliver {

const char* name(TlsLevel level) {
  constexpr const char* kNames[] = {"none", "may", "encrypt", "dane", "dane-only", "verify", "secure"};
  return kNames[static_cast<unsigned>(level)];
}

namespace {

// How well a rule fits: 0 not at all, else the longer the nearer; the domain itself before all above it.
std::size_t fit(std::string_view rule, std::string_view domain) {
  if (iequals(rule, domain)) return domain.size() + 1;
  if (!rule.starts_with('.') || rule.size() >= domain.size()) return 0;
  return iequals(domain.substr(domain.size() - rule.size()), rule) ? rule.size() : 0;
}

}  // namespace

TlsPolicy configured_policy(TlsLevel direct, const std::vector<TlsRule>& rules, std::string_view domain) {
  const TlsRule* best = nullptr;
  std::size_t best_fit = 0;
  for (const TlsRule& rule : rules) {
    const std::size_t now = fit(rule.domain, domain);
    if (now > best_fit) {
      best = &rule;
      best_fit = now;
    }
  }
  if (best == nullptr) return {.level = direct, .where = "[direct] tls"};
  return {.level = best->level,
          .match = best->match,
          .why = policy_source::kConfig,
          .where = "[[tls_policy]] " + best->domain};
}

bool TlsPolicy::gives_way() const {
  return why == policy_source::kDefault &&
         (level == TlsLevel::kMay || level == TlsLevel::kEncrypt || level == TlsLevel::kDane);
}

std::vector<std::string> names_to_match(const TlsPolicy& policy, std::string_view domain, std::string_view host) {
  // As Postfix: verify trusts the DNS for the name, secure does not.
  static const std::vector<std::string> kVerify{"hostname"}, kSecure{"nexthop", "dot-nexthop"};
  const std::vector<std::string>& words = !policy.match.empty()               ? policy.match
                                          : policy.level == TlsLevel::kSecure ? kSecure
                                                                              : kVerify;
  std::vector<std::string> names;
  for (const std::string& word : words) {
    if (word == "hostname")
      names.push_back(lower(host));
    else if (word == "nexthop")
      names.push_back(lower(domain));
    else if (word == "dot-nexthop")
      names.push_back("." + lower(domain));
    else
      names.push_back(lower(word));
  }
  return names;
}

namespace {

HostPolicy unmet(HostPolicy host, std::string_view result, std::string text) {
  host.result = result;
  host.unmet = std::move(text);
  return host;
}

HostPolicy by_names(HostPolicy host, const TlsPolicy& policy, std::string_view domain, std::string_view name) {
  host.level = policy.level == TlsLevel::kSecure ? TlsLevel::kSecure : TlsLevel::kVerify;
  host.names = names_to_match(policy, domain, name);
  host.why = policy.why;
  host.where = policy.where;
  return host;
}

// RFC 8461 section 4.1: a host that no pattern of the policy fits is no exchanger of the domain.
HostPolicy by_published(HostPolicy host, const TlsPolicy& policy, std::string_view domain, std::string_view name) {
  const bool listed = policy.hosts.empty() || std::ranges::any_of(policy.hosts, [&](const std::string& pattern) {
                        if (!pattern.starts_with("*.")) return iequals(pattern, name);
                        const auto dot = name.find('.');  // one label, whole
                        return dot != std::string_view::npos && dot > 0 &&
                               iequals(name.substr(dot), std::string_view(pattern).substr(1));
                      });
  host = by_names(std::move(host), policy, domain, name);
  if (listed) return host;
  return unmet(std::move(host), "validation-failure",
               fmt::format("{} is not in the MTA-STS policy of {}", name, domain));
}

HostPolicy by_dane(HostPolicy host, bool only, const std::optional<TlsPolicy>& published, const DaneFound& dane,
                   std::string_view domain, std::string_view name) {
  using enum DaneFound::State;
  if (dane.state == kUsable || dane.state == kUnusable || dane.state == kTrouble || only)
    host.why = policy_source::kDane;
  switch (dane.state) {
    case kUsable:
      host.level = TlsLevel::kDane;
      host.records = dane.records;
      host.names = dane.names;
      host.sni = dane.base;
      return host;
    case kTrouble:  // RFC 7672 section 2.1.2: never in the clear because somebody keeps the answer from us
      host.temporary = true;
      return unmet(std::move(host), "dnssec-invalid", dane.why);
    case kUnusable:
      if (only) return unmet(std::move(host), "tlsa-invalid", dane.why);
      if (published) return by_published(std::move(host), *published, domain, name);
      host.level = TlsLevel::kEncrypt;  // RFC 7672 section 2.2
      return host;
    default:
      break;
  }
  if (only) return unmet(std::move(host), dane.state == kAbsent ? "dane-required" : "dnssec-invalid", dane.why);
  host.level = TlsLevel::kMay;
  return published ? by_published(std::move(host), *published, domain, name) : host;
}

}  // namespace

HostPolicy policy_for_host(const TlsPolicy& policy, const std::optional<TlsPolicy>& published, const DaneFound& dane,
                           std::string_view domain, std::string_view name, bool require) {
  HostPolicy host{.level = policy.level, .sni = lower(name), .why = policy.why, .where = policy.where};
  switch (policy.level) {
    case TlsLevel::kNone:
      break;
    case TlsLevel::kMay:
    case TlsLevel::kEncrypt:
      if (published) host = by_published(std::move(host), *published, domain, name);
      break;
    case TlsLevel::kDane:
    case TlsLevel::kDaneOnly:
      host = by_dane(std::move(host), policy.level == TlsLevel::kDaneOnly, published, dane, domain, name);
      break;
    case TlsLevel::kVerify:
    case TlsLevel::kSecure:
      host = by_names(std::move(host), policy, domain, name);
      break;
  }
  if (!require || !host.unmet.empty() || host.authenticated()) return host;
  if (host.level == TlsLevel::kNone)
    return unmet(std::move(host), {}, host.where + " is none, and REQUIRETLS needs TLS");
  // RFC 8689 section 4.2.1: the name from the MX record must be in the certificate.
  host.level = TlsLevel::kVerify;
  host.names = {lower(name)};
  host.why = policy_source::kRequireTls;
  return host;
}

}  // namespace sidegate::deliver
