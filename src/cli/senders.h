// As whom mail leaves, as far as the configuration says: what is tried at a relay, and whose records are looked at.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"
#include "doctor/look_domain.h"

namespace sidegate::cli {

struct Sender {
  std::string address;
  std::string used_by;   // where it is written: "relay isp", "local_domains", "route 2", "dkim"
  bool guessed = false;  // nobody wrote it down: it follows from this machine's name
  std::string domain() const { return address.substr(address.rfind('@') + 1); }
};

// Mail may leave straight to MX hosts: there is no relay, or a [[route]] says so.
bool goes_direct(const config::Settings& settings);
// And from an address of ours: not by a proxy, of whose line nothing is known here.
bool goes_direct_from_here(const config::Settings& settings);

// That the relay would be given, the account's own first; each once. Whose mail a [[route]] leads elsewhere is not
// among them.
std::vector<Sender> senders_by(const config::Loaded& loaded, const deliver::RelaySettings& relay);

// Their domains, with the ways that each leaves by. own: our addresses as the world sees them, for `direct`.
std::vector<doctor::DomainLook> domains_in_use(const config::Loaded& loaded, const std::vector<std::string>& own);
// The domain of one address that is to leave by that relay, whatever the routes say; none: <>, or no name of the world.
std::vector<doctor::DomainLook> domains_of(const config::Loaded& loaded, const deliver::RelaySettings& relay,
                                           const std::string& address);

}  // namespace sidegate::cli
