#include "screen/host_known.h"

#include "mail/mailbox.h"
#include "screen/helo.h"

namespace sidegate::screen {

net::Awaitable<Known> host_known(Asker& asker, net::Loop& loop, std::string name, Duration limit) {
  if (name.ends_with('.')) name.pop_back();
  if (address_in(name)) co_return Known::kYes;
  if (!mail::is_domain(name, false)) co_return Known::kNo;
  Known known = Known::kNo;
  const SteadyTime end = loop.clock().steady() + limit;
  for (dns::RecordType type : {dns::RecordType::kA, dns::RecordType::kAaaa, dns::RecordType::kMx}) {
    const Duration left = std::chrono::duration_cast<Duration>(end - loop.clock().steady());
    if (left <= Duration(0)) co_return Known::kCannotTell;
    Found found = co_await asker.records(loop, name, type, left);
    if (found) co_return Known::kYes;
    if (!is_absent(found)) known = Known::kCannotTell;
  }
  co_return known;
}

}  // namespace sidegate::screen
