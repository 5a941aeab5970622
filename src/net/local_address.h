// Our own address of a connection, as others see it where no router is between.
#pragma once

#include <string>

#include "net/stream.h"

namespace sidegate::net {

std::string local_address(const Stream& stream);  // numeric; empty: no connection by IP, or closed

}  // namespace sidegate::net
