// A proxy's header: read within its bounds, the same however its octets come, and nothing of what follows it is taken.
#include <string_view>

#include "check.h"
#include "net/networks.h"
#include "screen/proxy_header.h"

using namespace sidegate;
using namespace sidegate::screen;

namespace {

struct Read {
  bool done = false, failed = false;
  std::size_t taken = 0;
  ProxyHeader header;
};

Read read(std::string_view bytes, std::size_t at_a_time) {
  ProxyHeaderReader reader;
  Read out;
  while (!reader.done() && out.taken < bytes.size()) {
    auto taken = reader.push(bytes.substr(out.taken, at_a_time));
    out.failed = !taken;
    if (out.failed) return out;
    SIDEGATE_CHECK(*taken > 0);
    out.taken += *taken;
  }
  out.done = reader.done();
  out.header = reader.header();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read whole = read(bytes, size + 1), single = read(bytes, 1);
  SIDEGATE_CHECK(whole.done == single.done && whole.failed == single.failed);
  SIDEGATE_CHECK(whole.failed || whole.taken == single.taken);
  if (!whole.done) return 0;
  SIDEGATE_CHECK(whole.taken <= ProxyHeaderReader::kMost && whole.taken <= size);
  const bool told = whole.header.kind == ProxyHeader::Kind::kTold;
  SIDEGATE_CHECK(told == net::parse_address(whole.header.address).has_value());
  SIDEGATE_CHECK(whole.header.port <= 65535);
  const net::Peer peer = told_peer({.address = "127.0.0.1", .port = 1, .loopback = true}, whole.header);
  SIDEGATE_CHECK(!peer.loopback && !peer.is_unix);
  return 0;
}
