#include "deliver/tls_ledger.h"

namespace sidegate::deliver {
namespace {

using tlsrpt::PolicyType;
using tlsrpt::ResultType;

ResultType result_type_of(mta_sts::Failure failure) {
  constexpr ResultType kTypes[] = {ResultType::kStsPolicyFetchError, ResultType::kStsPolicyInvalid,
                                   ResultType::kStsWebpkiInvalid};
  return kTypes[static_cast<unsigned>(failure)];
}

}  // namespace

std::optional<ResultType> result_type(std::string_view word) {
  for (std::uint8_t i = 0; i < tlsrpt::kResultTypes; ++i) {
    if (word == name(static_cast<ResultType>(i))) return static_cast<ResultType>(i);
  }
  return std::nullopt;
}

Status TlsLedger::load(WallTime now) {
  const std::string_view sts = kStsNotes, report = kReportNotes;
  auto policies = store_.notes(kStsNotes);
  if (!policies) return std::unexpected(policies.error());
  for (const queue::Note& note : *policies) {
    if (!policies_.restore(note.key.substr(sts.size()), note.value))
      store_.commit(queue::Note{note.key, {}}, [](Status) {});
  }
  auto days = store_.notes(kReportNotes);
  if (!days) return std::unexpected(days.error());
  for (const queue::Note& note : *days) {
    if (!counters_.restore(note.key.substr(report.size()), note.value, now))
      store_.commit(queue::Note{note.key, {}}, [](Status) {});
  }
  policies_.set_keep([&store = store_, finished = finished_](const std::string& domain, std::string row) {
    if (!finished->load()) store.commit(queue::Note{kStsNotes + domain, std::move(row)}, [](Status) {});
  });
  return {};
}

void TlsLedger::write() {
  if (finished_->load()) return;
  for (auto& [key, row] : counters_.take_changes())
    store_.commit(queue::Note{kReportNotes + key, std::move(row)}, [](Status) {});
}

void TlsLedger::forget_old() {
  counters_.forget_old(background_.clock().wall());
}

void TlsLedger::finish() {
  write();
  finished_->store(true);
}

net::Awaitable<std::optional<TlsPolicy>> TlsLedger::find(net::Loop& loop, std::string domain) {
  mta_sts::InForce found = co_await policies_.find(loop, std::move(domain));
  if (!found.enforced()) co_return std::nullopt;
  // RFC 8461 section 4: a host that the policy lists, and a certificate for the name that the MX record has.
  TlsPolicy policy{.level = TlsLevel::kVerify, .match = {"hostname"}, .why = policy_source::kMtaSts};
  policy.where = "MTA-STS, id " + found.id;
  policy.published = "id " + found.id;
  policy.hosts = found.policy->mx;
  co_return policy;
}

tlsrpt::Session TlsLedger::session_of(const TlsResult& result) const {
  tlsrpt::Session session;
  session.domain = result.domain;
  session.sending_address = result.our_address;
  session.mx_host = result.host;
  session.address = result.address;
  session.reason = result.detail;
  session.failure = result_type(result.result);
  if (!result.result.empty() && !session.failure) session.failure = ResultType::kValidationFailure;
  if (result.kind == PolicyKind::kTlsa) {
    session.policy = {PolicyType::kTlsa, result.tlsa, {result.host}};
    return session;
  }
  const mta_sts::InForce known = policies_.known(result.domain);
  if (known.policy && known.policy->mode != mta_sts::Mode::kNone) {
    session.policy = {PolicyType::kSts, lines_of(*known.policy), known.policy->mx};
    // RFC 8461 section 5: in testing, what would have been refused goes out, and is told.
    if (!session.failure && result.kind != PolicyKind::kSts) {
      session.failure = result_type(result.authenticated);
      if (!matches(*known.policy, result.host)) session.failure = ResultType::kValidationFailure;
    }
    return session;
  }
  if (!known.trouble) return session;
  // RFC 8460 section 4.3.2.2: there is a policy, and it could not be had.
  session.policy.type = PolicyType::kSts;
  session.failure = result_type_of(known.trouble->failure);
  session.reason = known.trouble->text;
  return session;
}

void TlsLedger::heard(const TlsResult& result) {
  if (result.domain.starts_with('[')) return;  // an address: nobody asks for a report there
  const bool refused = result.kind == PolicyKind::kSts && !result.result.empty();
  // RFC 8461 section 5.1: before mail fails for good, whether there is a newer policy has been looked at.
  if (refused) policies_.doubt(background_, result.domain);
  counters_.note(session_of(result), background_.clock().wall());
}

}  // namespace sidegate::deliver
