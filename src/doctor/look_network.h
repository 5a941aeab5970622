// Looks at the network: name servers, names, and a connection to each port of each target, all side by side.
#pragma once

#include "dns/resolver.h"
#include "doctor/judge_names.h"
#include "doctor/network_seen.h"
#include "net/loop.h"
#include "net/worker_pool.h"

namespace sidegate::doctor {

struct NetworkLook {
  std::vector<Target> targets;
  std::string hostname;       // for EHLO
  dns::ResolverSettings dns;  // whose servers are asked one by one
  Duration patience{4'000};   // for a connection and what is said on it
  std::vector<Interface> own;
};

// On the loop's thread. Never fails: what did not work stands in what was seen. Takes about `patience` for the names
// and as much again for the connections, where nothing answers.
net::Awaitable<NetworkSeen> look_at_network(net::Loop& loop, dns::Resolver& resolver, net::WorkerPool& pool,
                                            NetworkLook look);

// What this machine is called, and its addresses as the world sees them (own ones, and what targets have said).
net::Awaitable<NamesSeen> look_at_names(net::Loop& loop, dns::Resolver& resolver, std::string hostname,
                                        std::vector<std::string> addresses, Duration patience);

// The public addresses that mail would leave from: of the interfaces, and what answers to EHLO have named.
std::vector<std::string> public_addresses(const NetworkSeen& seen);

}  // namespace sidegate::doctor
