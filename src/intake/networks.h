// Networks, by the names that this room gives them.
#pragma once

#include "net/networks.h"

namespace sidegate::intake {

using net::AddressOctets;
using net::is_loopback;
using net::Network;
using net::parse_address;

}  // namespace sidegate::intake
