// Where a filter listens: "inet:host@port" or "unix:/path", and what else people write.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sidegate::milter {

struct Address {
  std::string path;  // of a Unix socket; empty: TCP
  std::string host;  // a name or a numeric address, IPv6 without brackets
  unsigned port = 0;
  std::string text() const;  // "inet:127.0.0.1@8891", "unix:/run/opendkim/opendkim.sock"
  bool operator==(const Address&) const = default;
};

// inet:host@port; Postfix's inet:host:port; libmilter's inet:port@host and inet6:port@host; unix:/path, local:/path,
// and a path alone. kBadInput with a sentence for the operator.
Result<Address> parse_address(std::string_view text);

}  // namespace sidegate::milter
