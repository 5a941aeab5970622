#include "deliver/decided_connection.h"

#include "deliver/attempt.h"

namespace sidegate::deliver {

DecidedConnection::DecidedConnection() {
  host = "route";
}

net::Awaitable<void> DecidedConnection::carry(Attempt& attempt) {
  const RelaySettings& settings = attempt.way_.settings;
  const bool discards = settings.protocol == Protocol::kDiscard;
  Verdict verdict;
  verdict.scope = Scope::kRecipient;
  verdict.action = discards ? Action::kDelivered : Action::kFail;
  verdict.meaning = discards ? "accepted" : "refused-by-route";
  verdict.explanation = discards ? "Discarded, as a [[route]] of the configuration says." : "Refused by this server.";
  verdict.status =
      discards ? mail::EnhancedCode{2, 0, 0} : settings.refusal.status.value_or(mail::EnhancedCode{5, 7, 1});
  attempt.result_.answered = true;
  for (Target& target : attempt.targets_)
    attempt.set(target, verdict, smtp::Phase::kFinal, discards ? "discarded" : settings.refusal.text(), false);
  co_return;
}

}  // namespace sidegate::deliver
