// What connections to a mail exchanger must be: the levels of the configuration, the rule that fits a destination, and
// what it comes to for one host. Pure; direct_opening.h asks, and whoever else knows of a policy (published_policy.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tls/tlsa.h"

namespace sidegate::deliver {

// As Postfix has them (its TLS_README), the weakest first.
enum class TlsLevel : std::uint8_t { kNone, kMay, kEncrypt, kDane, kDaneOnly, kVerify, kSecure };
const char* name(TlsLevel level);  // "none", "may", ..., "dane-only", "verify", "secure"

// A [[tls_policy]] block.
struct TlsRule {
  std::string domain;  // "example.org", ".example.org" (what is below it), "[192.0.2.1]"
  TlsLevel level = TlsLevel::kEncrypt;
  std::vector<std::string> match;  // of verify and secure; empty: as the level has it
  bool operator==(const TlsRule&) const = default;
};

// Where a policy comes from: stable words for the log, reports and counters.
namespace policy_source {
inline constexpr std::string_view kDefault = "default", kConfig = "config", kDane = "dane", kMtaSts = "mta-sts",
                                  kRequireTls = "requiretls", kHeader = "tls-required-no";
}

// Of one destination: decided once for each opening.
struct TlsPolicy {
  TlsLevel level = TlsLevel::kMay;
  std::vector<std::string> match = {};  // of verify and secure: "hostname", "nexthop", "dot-nexthop", names, ".below"
  std::string_view why = policy_source::kDefault;
  std::string where = {};               // for people: "[direct] tls", "[[tls_policy]] .example.org"
  std::string published = {};           // of mta-sts: what it is known by ("id 20260101T000000")
  std::vector<std::string> hosts = {};  // of mta-sts: MX names or "*.example.org" alone are gone to; empty: all
  // The destination's own policy (RFC 8461) goes before this one, where it has one.
  bool gives_way() const;
  bool operator==(const TlsPolicy&) const = default;
};

// [direct] and [[tls_policy]] for this domain: exact, then the nearest ".domain" above it, then [direct] tls.
TlsPolicy configured_policy(TlsLevel direct, const std::vector<TlsRule>& rules, std::string_view domain);

// The names that a certificate must have one of, for this host of the destination: `match` with its words replaced.
std::vector<std::string> names_to_match(const TlsPolicy& policy, std::string_view domain, std::string_view host);

// What the DNS says of DANE for one host (RFC 7672 section 2.2).
struct DaneFound {
  enum class State : std::uint8_t {
    kNotAsked,
    kInsecure,  // the MX records, or the host's addresses, are not signed, or nothing can be validated here
    kAbsent,    // signed, and no TLSA records
    kUnusable,  // TLSA records, and none that mail can use
    kUsable,
    kTrouble,  // bogus, or no answer: the host may not be gone to now
  } state = State::kNotAsked;
  std::string base{};                // the TLSA base domain: also SNI
  std::vector<tls::Tlsa> records{};  // the usable ones
  std::vector<std::string> names{};  // for DANE-TA (RFC 7672 section 3.2.2)
  std::string why{};                 // for people, of all but kUsable
};

// What a connection to one host must be.
struct HostPolicy {
  TlsLevel level =
      TlsLevel::kMay;  // kDane: by `records`; kVerify, kSecure: by a CA, with one of `names`; never kDaneOnly
  std::vector<std::string> names{};
  std::vector<tls::Tlsa> records{};
  std::string sni{};
  std::string_view why = policy_source::kDefault;
  std::string where{};
  std::string unmet{};        // not empty: it may not be gone to, and why not
  bool temporary = false;     // then: it may be met another time, by itself
  std::string_view result{};  // then: RFC 8460 section 4.3's word
  bool required() const { return level >= TlsLevel::kEncrypt; }
  bool authenticated() const { return level >= TlsLevel::kDane; }
};

// published: what the destination itself says by MTA-STS. require: REQUIRETLS, so the peer must be authenticated.
HostPolicy policy_for_host(const TlsPolicy& policy, const std::optional<TlsPolicy>& published, const DaneFound& dane,
                           std::string_view domain, std::string_view host, bool require);

}  // namespace sidegate::deliver
