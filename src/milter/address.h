// Where a filter listens: "inet:host@port" or "unix:/path", and what else people write.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/socket.h"

namespace sidegate::milter {

struct Address {
  std::string path;  // of a Unix socket; empty: TCP
  std::string host;  // a name or a numeric address, IPv6 without brackets
  unsigned port = 0;
  std::string text() const;  // "inet:127.0.0.1@8891", "unix:/run/opendkim/opendkim.sock"
  bool operator==(const Address&) const = default;
};

// inet:host@port; Postfix's inet:host:port; libmilter's inet:port@host and inet6:port@host; unix:/path and local:/path.
// kBadInput with a sentence for the operator.
Result<Address> parse_address(std::string_view text);

// How a link to a filter is made: intake gives the one that resolves names, tests a script.
using Dial = std::function<net::Awaitable<Result<std::unique_ptr<net::Stream>>>(Address to, Duration timeout)>;

// The dial for numeric addresses, "localhost" (127.0.0.1, then ::1) and Unix sockets; kNotFound for another name. On
// the loop's thread; the loop outlives it.
Dial dial_on(net::Loop& loop);

}  // namespace sidegate::milter
