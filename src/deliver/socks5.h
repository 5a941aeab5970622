// The way through a SOCKS5 proxy (RFC 1928, RFC 1929): it looks the name up and connects, we speak to the server as if
// there were nothing between.
#pragma once

#include <string>

#include "deliver/settings.h"
#include "net/stream.h"

namespace sidegate::deliver {

// On a stream that is connected to the proxy. The error names the step: kRefused, kUnreachable, kTimeout and kNotFound
// as the proxy tells them, kAuth where it does not take us.
net::Awaitable<Status> socks5_connect(net::Stream& stream, Proxy proxy, std::string host, std::uint16_t port,
                                      Duration limit);

}  // namespace sidegate::deliver
