// Looks a sender domain's records up, as the world sees them.
#pragma once

#include <string>
#include <vector>

#include "dns/resolver.h"
#include "doctor/judge_domain.h"
#include "net/loop.h"

namespace sidegate::doctor {

struct DomainWay {
  std::string name;                    // "isp", "direct"
  std::string host;                    // of a relay: its addresses are looked up; empty: direct
  std::vector<std::string> addresses;  // of direct: ours
};

struct DomainLook {
  std::string domain, used_by, sender;  // sender: an address of it
  bool guessed = false;
  std::vector<DomainWay> ways;
  std::vector<KeyPublished> keys;  // without `found`
  std::string hostname;
  Duration patience{4'000};  // for one question
};

net::Awaitable<DomainSeen> look_at_domain(net::Loop& loop, dns::Resolver& outside, DomainLook look);

}  // namespace sidegate::doctor
