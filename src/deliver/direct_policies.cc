// What TLS with a destination's mail exchangers must be, by whose word, and the telling of how it went.
#include <algorithm>

#include "base/text.h"
#include "deliver/dane.h"
#include "deliver/direct_opening.h"
#include "mail/idna.h"

namespace sidegate::deliver {

void DirectOpening::configure_policy() {
  const auto ascii = mail::to_ascii(way_.domain);
  domain_ = ascii ? *ascii : lower(way_.domain);
  policy_ = configured_policy(settings_.direct.tls, settings_.direct.tls_rules, domain_);
  const bool weak = policy_.level == TlsLevel::kMay || policy_.level == TlsLevel::kEncrypt;
  if (way_.demand == mail::TlsDemand::kOptional && policy_.level != TlsLevel::kNone) {
    // RFC 8689 section 4.3: the policies of the recipient's side are passed over, and TLS is still tried.
    policy_ = {.level = TlsLevel::kMay, .why = policy_source::kHeader, .where = "TLS-Required: No"};
  } else if (requires_tls() && weak) {
    policy_.level = TlsLevel::kDane;  // authenticated, by records or by name
  }
}

net::Awaitable<void> DirectOpening::find_published() {
  if ((!policy_.gives_way() && !requires_tls()) || hooks_.published == nullptr || !settings_.direct.mta_sts) co_return;
  std::string domain = domain_;
  published_ = co_await hooks_.published->find(loop_, std::move(domain));
}

net::Awaitable<HostPolicy> DirectOpening::policy_of(std::string host) {
  DaneFound dane;
  if (wants_proof() && mx_proven_) {
    dane = co_await find_dane(loop_, resolver_, host, way_.settings.port);
    // RFC 7672 section 3.2.2: the base domain, the domain mail is for, and what its alias leads to.
    for (const std::string* name : {&dane.base, &domain_, &mx_name_}) {
      if (std::ranges::find(dane.names, lower(*name)) == dane.names.end()) dane.names.push_back(lower(*name));
    }
  } else if (wants_proof()) {
    dane.state = DaneFound::State::kInsecure;
    dane.why = mx_unproven_;
  }
  HostPolicy policy = policy_for_host(policy_, published_, dane, domain_, host, requires_tls());
  // RFC 8689 section 4.2.1: the exchanger's name comes from a signed record, or stands in an MTA-STS policy.
  if (requires_tls() && policy.unmet.empty() && !mx_proven_ && !published_) {
    policy.why = policy_source::kRequireTls;
    policy.unmet = fmt::format("nothing proves that {} is a mail server of {}: {}", host, way_.domain, mx_unproven_);
  }
  co_return policy;
}

namespace {

std::string_view word_of(tls::Fault fault) {  // RFC 8460 section 4.3
  switch (fault) {
    case tls::Fault::kNone:
      return {};
    case tls::Fault::kName:
      return "certificate-host-mismatch";
    case tls::Fault::kExpired:
      return "certificate-expired";
    case tls::Fault::kUntrusted:
      return "certificate-not-trusted";
    case tls::Fault::kTlsa:
      return "validation-failure";
  }
  return "validation-failure";
}

}  // namespace

void DirectOpening::tell(const std::string& host, const HostPolicy& policy, const std::string& address,
                         std::string_view result, std::string detail, std::string our_address,
                         const RelayConnection* made) {
  if (hooks_.results == nullptr) return;
  TlsResult told{.domain = domain_, .host = host};
  if (!address.empty()) {
    told.address = without_port(address);
    told.port = address.substr(address.rfind(':') + 1);
  }
  if (policy.why == policy_source::kDane) told.kind = PolicyKind::kTlsa;
  if (policy.why == policy_source::kMtaSts) told.kind = PolicyKind::kSts;
  for (const tls::Tlsa& record : policy.records) told.tlsa.push_back(tls::text_of(record));
  told.policy = told.kind == PolicyKind::kSts ? *published_ : policy_;
  told.result = result;
  if (made) told.authenticated = word_of(made->stream->verdict().fault);
  told.our_address = std::move(our_address);
  told.detail = std::move(detail);
  hooks_.results->heard(told);
}

void DirectOpening::tell_failure(const std::string& host, const HostPolicy& policy, const OpenTrouble& trouble) {
  const smtp::Phase phase = trouble.trouble.phase;
  if (phase != smtp::Phase::kStartTls && phase != smtp::Phase::kTls) return;
  std::string_view word = "validation-failure";
  if (phase == smtp::Phase::kStartTls) word = "starttls-not-supported";
  if (trouble.fault != tls::Fault::kNone) word = word_of(trouble.fault);
  tell(host, policy, trouble.address, word, trouble.reason, trouble.our_address);
}

}  // namespace sidegate::deliver
