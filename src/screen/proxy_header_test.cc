#include "screen/proxy_header.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/text.h"
#include "net/run_script.h"

namespace sidegate::screen::proxy_header_test {
namespace {

using namespace std::string_literals;
using Kind = ProxyHeader::Kind;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string kFour = "\xc0\0\2\1\x0a\0\0\1\x13\x88\0\x19"s;  // 192.0.2.1:5000 to 10.0.0.1:25

std::string binary(unsigned command, unsigned family, const std::string& rest) {
  return kSignature + static_cast<char>(command) + static_cast<char>(family) + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size()) + rest;
}

std::string six(const std::string& last_four) {
  return "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0"s + last_four + "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x13\x88\0\x19"s;
}

struct Read {
  std::string error;
  bool done = false;
  std::size_t taken = 0;
  ProxyHeader header;
};

Read read(const std::string& bytes, std::size_t at_a_time) {
  ProxyHeaderReader reader;
  Read out;
  while (!reader.done() && out.taken < bytes.size()) {
    auto taken = reader.push(std::string_view(bytes).substr(out.taken, at_a_time));
    if (!taken) {
      out.error = taken.error().text;
      return out;
    }
    out.taken += *taken;
  }
  out.done = reader.done();
  out.header = reader.header();
  return out;
}

TEST(ProxyHeader, Told) {
  struct {
    const char* why;
    std::string bytes;
    Kind kind;
    const char* address;
    unsigned port;
  } cases[] = {
      {"version 1", "PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\r\n", Kind::kTold, "192.0.2.1", 5000},
      {"over IPv6", "PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n", Kind::kTold, "2001:db8::1", 0},
      {"a mapped address", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", Kind::kTold, "192.0.2.1", 1},
      {"this machine, they say", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", Kind::kTold, "127.0.0.1", 1},
      {"unknown", "PROXY UNKNOWN\r\n", Kind::kNotTold, "", 0},
      {"unknown, and more", "PROXY UNKNOWN ffff:f...f:ffff ::1 1 2 whatever\r\n", Kind::kNotTold, "", 0},
      {"version 2", binary(0x21, 0x11, kFour), Kind::kTold, "192.0.2.1", 5000},
      {"over IPv6", binary(0x21, 0x21, six("\0\0\0\1"s)), Kind::kTold, "2001:db8::1", 5000},
      {"local", binary(0x20, 0x00, ""), Kind::kProxyself, "", 0},
      {"local, with what is to be passed over", binary(0x20, 0x11, "xyz"), Kind::kProxyself, "", 0},
      {"no family", binary(0x21, 0x00, ""), Kind::kNotTold, "", 0},
      {"Unix", binary(0x21, 0x31, std::string(216, 'x')), Kind::kNotTold, "", 0},
      {"an extension", binary(0x21, 0x11, kFour + "\x02\0\2mx"s), Kind::kTold, "192.0.2.1", 5000},
      {"TLS and an empty one", binary(0x21, 0x11, kFour + "\x20\0\x0c\1\0\0\0\0\x21\0\4TLSv"s + "\x04\0\0"s),
       Kind::kTold, "192.0.2.1", 5000},
      {"a checksum", binary(0x21, 0x00, "\x03\0\4\x3e\xc9\x89\x4e"s), Kind::kNotTold, "", 0},
  };
  for (const auto& c : cases) {
    for (std::size_t at_a_time : {1u, 7u, 1000u}) {
      Read got = read(c.bytes + "EHLO x\r\n", at_a_time);
      EXPECT_EQ(got.error, "") << c.why;
      EXPECT_TRUE(got.done) << c.why;
      EXPECT_EQ(got.taken, c.bytes.size()) << c.why;
      EXPECT_EQ(got.header.kind, c.kind) << c.why;
      EXPECT_EQ(got.header.address, c.address) << c.why;
      EXPECT_EQ(got.header.port, c.port) << c.why;
    }
  }
}

TEST(ProxyHeader, Mistakes) {
  const std::string cases[] = {
      "EHLO x\r\n",
      "PROXX",
      "PROXY\r\n",
      "PROXY  TCP4 192.0.2.1 10.0.0.1 5000 25\r\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 5000 25 \r\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 5000 65536\r\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 05000 25\r\n",
      "PROXY TCP4 192.0.2.1 10.0.0.1 -1 25\r\n",
      "PROXY TCP4 192.0.2.256 10.0.0.1 5000 25\r\n",
      "PROXY TCP4 2001:db8::1 10.0.0.1 5000 25\r\n",
      "PROXY TCP6 192.0.2.1 10.0.0.1 5000 25\r\n",
      "PROXY UDP4 192.0.2.1 10.0.0.1 5000 25\r\n",
      "PROXY tcp4 192.0.2.1 10.0.0.1 5000 25\r\n",
      "PROXY UNKNOWN " + std::string(107, 'x'),
      "\r\n\r\n\1"s,
      binary(0x11, 0x11, kFour),
      binary(0x22, 0x11, kFour),
      binary(0x21, 0x41, kFour),
      binary(0x21, 0x13, kFour),
      binary(0x21, 0x12, kFour),                        // a datagram
      binary(0x21, 0x11, kFour.substr(0, 11)),          // cut off
      binary(0x21, 0x21, kFour),                        //
      binary(0x21, 0x31, kFour),                        //
      binary(0x21, 0x11, kFour + "\x02\0"s),            // an extension cut off
      binary(0x21, 0x11, kFour + "\x02\0\3mx"s),        // longer than what is there
      binary(0x21, 0x11, kFour + "\x20\0\4\1\0\0\0"s),  // TLS cut off
      binary(0x21, 0x11, kFour + "\x20\0\x0b\1\0\0\0\0\x21\0\4TLS"s),
      binary(0x21, 0x11, kFour + "\x03\0\4\0\0\0\0"s),  // a wrong checksum
      binary(0x21, 0x11, kFour + "\x03\0\3\0\0\0"s),
      kSignature + "\x21\x11\xff\xff"s,  // no end in sight
  };
  for (const std::string& bytes : cases) {
    for (std::size_t at_a_time : {1u, 1000u}) EXPECT_NE(read(bytes, at_a_time).error, "") << printable(bytes);
  }
}

TEST(ProxyHeader, CutAnywhereItIsNotDone) {
  for (const std::string& bytes :
       {"PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\r\n"s, binary(0x21, 0x11, kFour + "\x02\0\2mx"s)}) {
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      Read got = read(bytes.substr(0, n), 3);
      EXPECT_FALSE(got.done);
      EXPECT_EQ(got.error, "");
    }
  }
}

RC_GTEST_PROP(ProxyHeader, TakesNoMoreThanItsOwn, (const std::string& behind)) {
  const std::string bytes = binary(0x21, 0x11, kFour);
  Read got = read(bytes + behind, 1 + behind.size() % 9);
  RC_ASSERT(got.done && got.taken == bytes.size());
}

TEST(ProxyHeader, WhoThePeerIsThen) {
  net::Peer proxy{.address = "127.0.0.1", .port = 9, .loopback = true};
  ProxyHeader header;
  header.kind = Kind::kTold;
  header.address = "127.0.0.1";
  for (Kind kind : {Kind::kTold, Kind::kNotTold, Kind::kProxyself}) {
    header.kind = kind;
    net::Peer peer = told_peer(proxy, header);
    EXPECT_FALSE(peer.loopback);
    EXPECT_FALSE(peer.is_unix);
    EXPECT_EQ(peer.address, "127.0.0.1");
    EXPECT_EQ(peer.told, kind == Kind::kTold ? net::Told::kAddress : net::Told::kNothing);
  }
}

TEST(ProxyHeader, FromAStream) {
  net::ScriptStream stream;
  stream.deliver_at_most(5).peer_sends("PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\r\nEHLO x\r\n");
  auto header = net::run_script(read_proxy_header(stream, Duration(5000)));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->address, "192.0.2.1");
  auto line = net::run_script(stream.read_line(100, 100));
  ASSERT_TRUE(line);
  EXPECT_EQ(*line, "EHLO x");
  net::ScriptStream silent;
  silent.peer_stalls();
  EXPECT_EQ(net::run_script(read_proxy_header(silent, Duration(5000))).error().kind, ErrorKind::kTimeout);
  net::ScriptStream gone;
  gone.peer_sends("PROXY TCP4").peer_closes();
  EXPECT_EQ(net::run_script(read_proxy_header(gone, Duration(5000))).error().kind, ErrorKind::kClosed);
}

}  // namespace
}  // namespace sidegate::screen::proxy_header_test
