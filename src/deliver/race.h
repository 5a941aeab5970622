// Several addresses of one server, two families: whichever answers first. A family that is dead on this network costs a
// moment, not the connect time-out (in the spirit of RFC 8305).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"

namespace sidegate::deliver {

struct RaceRules {
  Duration timeout{30'000};      // of each address
  Duration head_start{250};      // of the first address's family
  std::string source4, source6;  // ours; empty: any
};

struct Raced {
  std::unique_ptr<net::Stream> stream;  // null: none answered
  net::Endpoint to;
  std::vector<std::pair<net::Endpoint, Error>> failed;  // those that were tried to their end
};

// Addresses of a family are tried in turn, the first one's family before the other. On the loop's thread. An attempt
// that was outrun ends by itself.
net::Awaitable<Raced> connect_first(net::Loop& loop, std::vector<net::Endpoint> places, RaceRules rules);

inline bool is_ipv6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

}  // namespace sidegate::deliver
