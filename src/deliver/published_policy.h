// What others may know of a destination's TLS, and what they hear of it: the seams of direct delivery for policies that
// destinations publish (MTA-STS, RFC 8461) and for counters of how TLS went (TLSRPT, RFC 8460).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deliver/tls_policy.h"
#include "net/loop.h"
#include "net/stream.h"

namespace sidegate::deliver {

// Asked once for each opening of a destination whose level leaves room for it (may, encrypt, dane by [direct]; a
// [[tls_policy]] block goes before, and so do DANE's records of a host, RFC 8461 section 2).
class PublishedPolicies {  // thread-safe
 public:
  virtual ~PublishedPolicies() = default;
  // What holds for the domain: level secure or verify with `match` and `hosts`, why = mta-sts. nullopt: nothing does
  // (none, testing). Waits no longer than its own patience.
  virtual net::Awaitable<std::optional<TlsPolicy>> find(net::Loop& loop, std::string domain) = 0;
};

enum class PolicyKind : unsigned char { kNone, kTlsa, kSts };  // RFC 8460 section 4.4: no-policy-found, tlsa, sts
// One session, or one that did not come about, with one host of a destination.
struct TlsResult {
  std::string domain;
  std::string host = {}, address = {}, port = {};  // of the exchanger; no address: it was not gone to
  std::string our_address = {};                    // empty: not known
  PolicyKind kind = PolicyKind::kNone;             // by what the host was judged
  std::vector<std::string> tlsa = {};              // "3 1 1 ...": of kTlsa
  TlsPolicy policy = {};
  std::string_view result = {};  // empty: TLS as the policy has it. Else RFC 8460 section 4.3's word
  std::string_view authenticated =
      {};                   // of TLS that nobody had to verify: what would have been wrong with the certificate
  std::string detail = {};  // for people
};
class TlsResults {  // thread-safe
 public:
  virtual ~TlsResults() = default;
  virtual void heard(const TlsResult& result) = 0;
};

struct TlsHooks {  // of deliver::Parts; null: nobody
  PublishedPolicies* published = nullptr;
  TlsResults* results = nullptr;
};

}  // namespace sidegate::deliver
