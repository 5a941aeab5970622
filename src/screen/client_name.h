// The name of a client: what its address leads to (PTR), believed when that name leads back to the address.
#pragma once

#include <string>
#include <vector>

#include "screen/asker.h"

namespace sidegate::screen {

enum class Reverse : std::uint8_t {
  kUnknown,      // not asked, or nobody can say now
  kMissing,      // the address has no name
  kUnconfirmed,  // it has one, which does not lead back to it
  kConfirmed,
};

struct ClientName {
  std::string verified;  // leads back to the address; empty: none does
  std::string ptr;       // what the address leads to, believed or not; empty: nothing
  Reverse reverse = Reverse::kUnknown;
};

// Both questions together within `limit`. At most four names of an address are followed (a PTR may have any number of
// them).
net::Awaitable<ClientName> find_client_name(Asker& asker, net::Loop& loop, std::string address, Duration limit);

// Of the names a zone's owner wrote, those that are host names, in order, doubles left out: nothing else goes into a
// header or a log as one.
std::vector<std::string> host_names(const std::vector<std::string>& records, std::size_t most);

}  // namespace sidegate::screen
