// Whether mail could go back to a sender: its domain has a mail exchanger or an address (RFC 5321 section 5.1).
#pragma once

#include "screen/asker.h"

namespace sidegate::screen {

enum class SenderDomain : std::uint8_t {
  kTakesMail,
  kUnknown,      // neither
  kTakesNoMail,  // says so: a null MX (RFC 7505)
  kCannotTell,
};
net::Awaitable<SenderDomain> sender_domain(Asker& asker, net::Loop& loop, std::string domain, Duration limit);

}  // namespace sidegate::screen
