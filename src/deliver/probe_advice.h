// What a failed step of the way to a relay means, and what to do: pure, from what was seen to plain words in the
// reader's language.
#pragma once

#include <string>
#include <vector>

#include "deliver/settings.h"
#include "smtp/client_session.h"
#include "tls/context.h"

namespace sidegate::deliver {

struct ProbeAdvice {
  std::string cause, cure;
};

ProbeAdvice advise_dns(const RelaySettings& relay, const Error& error);
ProbeAdvice advise_connect(const RelaySettings& relay, const Error& error);
ProbeAdvice advise_greeting(const RelaySettings& relay, const smtp::Trouble& trouble);
ProbeAdvice advise_ehlo(const std::string& hostname, const smtp::Trouble& trouble);
ProbeAdvice advise_starttls(const RelaySettings& relay, bool offered, const smtp::Trouble* trouble);
ProbeAdvice advise_handshake(const RelaySettings& relay, const Error& error);
ProbeAdvice advise_certificate(const RelaySettings& relay, const tls::Verdict& verdict);
ProbeAdvice advise_auth(const RelaySettings& relay, const smtp::Trouble& trouble);
ProbeAdvice advise_mail(const RelaySettings& relay, const std::string& sender, const smtp::Trouble& trouble);

std::string words_of(const smtp::Trouble& trouble);  // the peer's reply or our error, printable

}  // namespace sidegate::deliver
