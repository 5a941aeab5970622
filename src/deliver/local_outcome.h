// What becomes of a recipient on this machine: the helper's answer becomes a verdict and words. Pure; the counterpart
// of outcome.h. Our own trouble, and what an administrator or the user can mend, defers (promise 4); what a command
// says in so many words (sysexits(3)) counts, as Postfix takes it.
#pragma once

#include <string>

#include "deliver/outcome.h"
#include "helper/protocol.h"
#include "mail/envelope.h"

namespace sidegate::deliver {

struct LocalEnd {
  Verdict verdict;
  std::string words;  // for log, queue and report: "delivered to mailbox"
};

// place: the path or command as it was asked for.
LocalEnd judge_local(helper::Verb verb, const helper::Answer& answer, const std::string& place);
// The helper ended, or was not to be had, before it answered. all_sent: it may have delivered.
LocalEnd judge_no_answer(const Error& why, bool all_sent);
LocalEnd judge_discarded(const mail::Recipient& recipient);
LocalEnd judge_loop(const std::string& recipient);  // 5.4.6
// Too many deliveries to the same command are under way: this one steps aside for `wait`.
LocalEnd judge_busy(Duration wait);

}  // namespace sidegate::deliver
