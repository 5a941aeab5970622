// Asks the server behind a relay domain whether it would take a recipient: a dialogue up to RCPT, and nothing sent.
#pragma once

#include <string>

#include "deliver/way.h"
#include "dns/resolver.h"
#include "net/loop.h"

namespace sidegate::deliver {

enum class RecipientAnswer : std::uint8_t { kTakes, kRefuses, kNone };  // kNone: it is away, or answers 4yz

// On the loop's thread; ways keeps the way. At most `patience` for each step, whatever the way's own time-outs are.
net::Awaitable<RecipientAnswer> ask_about(net::Loop& loop, dns::Resolver& resolver, std::shared_ptr<const Ways> ways,
                                          std::string domain, std::string address,
                                          Duration patience = Duration(10'000));

}  // namespace sidegate::deliver
