// The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): what a proxy in front says about the client,
// before the client's first octet. The parser is pure and takes octets as they come, never one that is not the
// header's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/stream.h"

namespace sidegate::screen {

struct ProxyHeader {
  enum class Kind : std::uint8_t {
    kTold,       // the client's address, by TCP
    kNotTold,    // there is a client, and its address is not known (UNKNOWN, AF_UNSPEC, AF_UNIX)
    kProxyself,  // LOCAL: the proxy itself, asking whether we are well
  };
  Kind kind = Kind::kNotTold;
  std::string address;  // numeric, as net::Peer has it; of kTold alone
  unsigned port = 0;
};

class ProxyHeaderReader {
 public:
  static constexpr std::size_t kMost = 4096;  // octets of a header: addresses, and what a proxy tells of its TLS

  // How many of the octets belong to the header. An error: it is none, and nothing of the connection can be believed.
  Result<std::size_t> push(std::string_view bytes);
  bool done() const { return done_; }
  const ProxyHeader& header() const { return header_; }

 private:
  std::size_t wanted() const;  // octets until the next look, of a version 2 header
  Status look();

  std::string seen_;
  bool done_ = false;
  ProxyHeader header_;
};

// Reads it; the stream stands at the client's first octet then. kTimeout: it did not come within `limit`.
net::Awaitable<Result<ProxyHeader>> read_proxy_header(net::Stream& stream, Duration limit);

// Who the peer is by that. Never this machine, whatever the header says: loopback is not identity, least of all told by
// others.
net::Peer told_peer(const net::Peer& proxy, const ProxyHeader& header);

}  // namespace sidegate::screen
