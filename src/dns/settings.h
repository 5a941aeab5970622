#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sidegate::dns {

struct ResolverSettings {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
  std::vector<std::string> servers;  // "127.0.0.1@5353"; empty: resolv_conf's
  Duration timeout = Duration(10'000);
  std::string trust_anchor = "/usr/share/dns/root.key";  // empty: nothing is validated
  std::string trust_anchor_text = {};                    // what stands in it; empty: it is not there
  Duration keep_last_good = std::chrono::hours(24);      // used when a lookup fails temporarily
};

}  // namespace sidegate::dns
