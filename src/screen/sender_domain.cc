#include "screen/sender_domain.h"

#include <algorithm>

#include "base/text.h"
#include "mail/mailbox.h"

namespace sidegate::screen {
namespace {

// RFC 7505 section 3: the root for a name, and no other record beside it.
bool is_null_mx(const std::vector<std::string>& records) {
  return std::ranges::all_of(records, [](const std::string& record) { return record.ends_with(" ."); });
}

}  // namespace

net::Awaitable<SenderDomain> sender_domain(Asker& asker, net::Loop& loop, std::string domain, Duration limit) {
  if (domain.ends_with('.')) domain.pop_back();
  // A literal is an address; what is not ASCII (RFC 6531) is passed by: we know no A-label of it.
  if (domain.starts_with("[") || !is_ascii(domain)) co_return SenderDomain::kTakesMail;
  if (!mail::is_domain(domain, false)) co_return SenderDomain::kUnknown;
  bool sure = true;
  const SteadyTime end = loop.clock().steady() + limit;
  for (dns::RecordType type : {dns::RecordType::kMx, dns::RecordType::kA, dns::RecordType::kAaaa}) {
    const Duration left = std::chrono::duration_cast<Duration>(end - loop.clock().steady());
    if (left <= Duration(0)) co_return SenderDomain::kCannotTell;
    Found found = co_await asker.records(loop, domain, type, left);
    if (found && type == dns::RecordType::kMx && is_null_mx(*found)) co_return SenderDomain::kTakesNoMail;
    if (found) co_return SenderDomain::kTakesMail;
    if (!is_absent(found)) sure = false;
  }
  co_return sure ? SenderDomain::kUnknown : SenderDomain::kCannotTell;
}

}  // namespace sidegate::screen
