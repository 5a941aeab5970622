// Where an opening may connect to, in order: a relay's hosts and ports, or what its SRV or MX records name; for direct
// delivery the MX of a domain. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deliver/settings.h"

namespace sidegate::deliver {

struct Candidate {
  std::string host;  // a name, a numeric address, or the path of a Unix socket
  std::uint16_t port = 587;
  TlsMode tls = TlsMode::kStartTls;
  std::string tls_name;  // what the certificate must carry; empty: nothing is known to ask for

  std::vector<std::string> addresses = {};  // its own, where they are known; empty: they are looked up

  // Where a policy demands more than the way's block does: with these names or records, and nothing is sent to a peer
  // that does not meet it.
  std::shared_ptr<const tls::ClientContext> context = {};

  bool is_path() const { return host.starts_with('/'); }
  std::string text() const;  // "smtp.isp.example:587", "[2001:db8::1]:587"
  bool operator==(const Candidate&) const = default;
};

// Of a block as it is written: each host on each port. Never empty.
std::vector<Candidate> candidates_of(const RelaySettings& settings);

// What a block that names a domain (mx, srv) comes to, from the records as the resolver has them, malformed ones passed
// over. random: of each call; equal preferences and weights are shuffled with it.
std::vector<Candidate> candidates_of_mx(const RelaySettings& settings, const std::vector<std::string>& records,
                                        std::uint32_t random);
std::vector<Candidate> candidates_of_srv(const RelaySettings& settings, const std::vector<std::string>& records,
                                         bool implicit, std::uint32_t random);

}  // namespace sidegate::deliver
