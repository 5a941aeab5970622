// How a link to a filter is made.
#pragma once

#include <functional>
#include <memory>

#include "milter/address.h"
#include "net/socket.h"

namespace sidegate::milter {

// The server gives one that resolves names, tests a script.
using Dial = std::function<net::Awaitable<Result<std::unique_ptr<net::Stream>>>(Address to, Duration timeout)>;

// The dial for numeric addresses, "localhost" (127.0.0.1, then ::1) and Unix sockets; kNotFound for another name. On
// the loop's thread; the loop outlives it.
Dial dial_on(net::Loop& loop);

// Each of `places` in turn, until one takes the connection; the last error otherwise. `places` is not empty.
net::Awaitable<Result<std::unique_ptr<net::Stream>>> connect_one_of(net::Loop& loop, std::vector<net::Endpoint> places,
                                                                    Duration timeout);

}  // namespace sidegate::milter
