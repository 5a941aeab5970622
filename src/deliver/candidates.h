// Where an opening may connect to, in order: a relay's hosts and ports, or what its SRV or MX records name; for direct
// delivery the MX of a domain. Pure.
#pragma once

#include <string>
#include <vector>

#include "deliver/settings.h"

namespace sidegate::deliver {

struct Candidate {
  std::string host;  // a name, a numeric address, or the path of a Unix socket
  std::uint16_t port = 587;
  TlsMode tls = TlsMode::kStartTls;
  std::string tls_name;  // what the certificate must carry; empty: nothing is known to ask for

  bool is_path() const { return host.starts_with('/'); }
  bool operator==(const Candidate&) const = default;
};

// Of a block as it is written. Never empty.
std::vector<Candidate> candidates_of(const RelaySettings& settings);

}  // namespace sidegate::deliver
