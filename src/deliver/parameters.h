// What goes behind MAIL and RCPT for this relay, and what the relay lacks for this message. Pure.
#pragma once

#include <optional>
#include <string>

#include "deliver/outcome.h"
#include "queue/records.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

// " SIZE=... BODY=8BITMIME SMTPUTF8 RET=... ENVID=...": each where the relay offers it and the message needs it.
// size: of what is sent; sender_utf8: a sender in use is not ASCII; proven: the peer is known by TLS.
std::string mail_parameters(const smtp::Capabilities& offered, const queue::Message& message, std::uint64_t size,
                            bool sender_utf8, bool proven);
// " NOTIFY=... ORCPT=..." (RFC 3461 section 4.1, 4.2); empty where DSN is not offered.
std::string rcpt_parameters(const smtp::Capabilities& offered, const mail::Recipient& recipient);

bool needs_smtputf8(const queue::Message& message, bool sender_utf8);

// An address as it stands in a command: where SMTPUTF8 is not offered and the local part is ASCII, the domain is in its
// ASCII form (RFC 5891), and is the same domain. Otherwise the address as it is.
std::string wire_address(std::string_view address, bool smtputf8);
bool needs_eight_bit(const queue::Message& message);
// Why this message cannot go by this relay as it is; nullopt: it can. Nothing has been sent yet.
std::optional<Verdict> lack(const smtp::Capabilities& offered, const RelaySettings& way, const queue::Message& message,
                            std::uint64_t size, bool sender_utf8, bool proven);

}  // namespace sidegate::deliver
