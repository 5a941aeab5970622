#pragma once

#include "screen/asker.h"

namespace sidegate::screen {

enum class Known : std::uint8_t { kYes, kNo, kCannotTell };
// Whether there is such a host: an address, or a mail exchanger. A literal is.
net::Awaitable<Known> host_known(Asker& asker, net::Loop& loop, std::string name, Duration limit);

}  // namespace sidegate::screen
