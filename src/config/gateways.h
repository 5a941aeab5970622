// Addresses of this machine's surroundings behind which others may stand: its routers, and the bridges of containers
// and virtual machines. A listed network that holds one of them may let in whoever is forwarded.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace sidegate::config {

struct Surroundings {
  struct Bridge {
    std::string name, address;
  };
  std::vector<std::string> gateways;
  std::vector<Bridge> bridges;
};

// From the system. Never fails: what cannot be read is not known.
Surroundings look_around();
std::vector<std::string> gateways_of(std::string_view proc_net_route);  // IPv4, as the file has them. Pure.
// IPv6, likewise; without those of one link alone, which nobody lists.
std::vector<std::string> gateways6_of(std::string_view proc_net_ipv6_route);

// What is to be said of each listener's networks. Pure.
Problems warn_about_gateways(const Settings& settings, const Surroundings& around);
// One sentence for each listener where somebody may relay without logging in.
std::vector<std::string> who_may_relay(const Settings& settings);

}  // namespace sidegate::config
