// What other domains ask of TLS by MTA-STS (RFC 8461), and how sessions with them went (RFC 8460): between direct
// delivery, the rooms that know (mta_sts, tlsrpt), and the store, where both are notes (doc/queue.md, "Notes").
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "deliver/published_policy.h"
#include "mta_sts/policies.h"
#include "queue/store.h"
#include "tlsrpt/counters.h"

namespace sidegate::deliver {

inline constexpr const char* kStsNotes = "sts/";        // before the domain
inline constexpr const char* kReportNotes = "tlsrpt/";  // before the date, a slash and the domain

// Whose certificate, MX or handshake it was: RFC 8460 section 4.3. nullopt: none of its words.
std::optional<tlsrpt::ResultType> result_type(std::string_view word);

class TlsLedger final : public PublishedPolicies, public TlsResults {  // thread-safe; the store outlives every write
 public:
  // background: where policies are looked for again when nobody waits.
  TlsLedger(mta_sts::Policies& policies, queue::Store& store, net::Loop& background)
      : policies_(policies), store_(store), background_(background) {}

  Status load(WallTime now);  // what the store knows; what is broken or old goes. Before any delivery.
  void write();               // counters that have changed; once a second
  void forget_old();          // days that are long over
  void finish();              // the last time, before the store goes: nothing is written any more

  net::Awaitable<std::optional<TlsPolicy>> find(net::Loop& loop, std::string domain) override;
  void heard(const TlsResult& result) override;

  const tlsrpt::Counters& counters() const { return counters_; }

 private:
  tlsrpt::Session session_of(const TlsResult& result) const;

  mta_sts::Policies& policies_;
  queue::Store& store_;
  net::Loop& background_;
  tlsrpt::Counters counters_;
  std::shared_ptr<std::atomic<bool>> finished_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace sidegate::deliver
