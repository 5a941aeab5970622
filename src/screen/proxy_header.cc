#include "screen/proxy_header.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "net/networks.h"

namespace sidegate::screen {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;  // section 2.2
constexpr std::size_t kLongestLine = 107;                          // section 2.1, CRLF included
constexpr std::size_t kFixed = 16;
constexpr std::uint8_t kCrcTlv = 0x03, kSslTlv = 0x20;

std::unexpected<Error> bad(std::string text) {
  return fail(ErrorKind::kProtocol, "PROXY header: " + std::move(text));
}

unsigned octet(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

unsigned number_16(std::string_view bytes, std::size_t at) {
  return octet(bytes, at) << 8 | octet(bytes, at + 1);
}

// Numeric and plain: a mapped address is the IPv4 address it stands for.
std::string address_text(int family, std::string_view octets) {
  net::AddressOctets address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::ranges::copy(octets, address.begin() + (family == AF_INET ? 12 : 0));
  return net::address_text(address);
}

// "192.0.2.1" for IPv4 and with colons for IPv6, and nothing else.
std::optional<std::string> plain_address(int family, std::string_view text) {
  const bool six = text.find(':') != std::string_view::npos;
  if (six != (family == AF_INET6) || text.find('%') != std::string_view::npos) return std::nullopt;
  auto octets = net::parse_address(text);
  if (!octets) return std::nullopt;
  return net::address_text(*octets);
}

std::optional<unsigned> plain_port(std::string_view text) {
  const bool padded = text.size() > 1 && text.front() == '0';
  const auto number = parse_number(text);
  if (!number || *number > 65535 || padded) return std::nullopt;
  return static_cast<unsigned>(*number);
}

// Section 2.1: one space between the words, and nothing else.
Result<ProxyHeader> parse_line(std::string_view line) {
  const auto words = split(line, ' ');
  if (words[0] != "PROXY" || words.size() < 2) return bad("it does not begin with PROXY and a family");
  ProxyHeader header;
  // What follows UNKNOWN is passed over.
  if (words[1] == "UNKNOWN") return header;
  const int family = words[1] == "TCP4" ? AF_INET : words[1] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC) return bad("its family is not TCP4, TCP6 or UNKNOWN");
  if (words.size() != 6) return bad("two addresses and two ports are expected");
  // Where the client came to changes nothing here, but must make sense.
  auto address = plain_address(family, words[2]);
  auto port = plain_port(words[4]);
  if (!address || !plain_address(family, words[3])) return bad("an address is none of its family");
  if (!port || !plain_port(words[5])) return bad("a port is no number up to 65535");
  header.kind = ProxyHeader::Kind::kTold;
  header.address = std::move(*address);
  header.port = *port;
  return header;
}

// CRC-32C (RFC 9260 appendix A) of the header with the four octets at `hole` taken for zero.
std::uint32_t crc32c(std::string_view bytes, std::size_t hole) {
  std::uint32_t crc = ~0u;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    crc ^= i >= hole && i < hole + 4 ? 0 : octet(bytes, i);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

// Section 2.2.7: type, length, value, to the last octet. Of none but the checksum does anything depend on what it says.
Status check_tlvs(std::string_view whole, std::size_t at, std::size_t end, bool inside) {
  while (at < end) {
    if (end - at < 3) return bad("an extension is cut off");
    const unsigned type = octet(whole, at);
    const std::size_t size = number_16(whole, at + 1), value = at + 3;
    if (size > end - value) return bad("an extension is longer than the header");
    if (!inside && type == kCrcTlv) {
      if (size != 4) return bad("its checksum is not four octets");
      const std::uint32_t told = number_16(whole, value) << 16 | number_16(whole, value + 2);
      if (told != crc32c(whole, value)) return bad("its checksum is wrong");
    }
    if (!inside && type == kSslTlv) {
      if (size < 5) return bad("what it says of TLS is cut off");
      if (Status good = check_tlvs(whole, value + 5, value + size, true); !good) return good;
    }
    at = value + size;
  }
  return {};
}

// Section 2.2: signature, version and command, family and transport, length, addresses, extensions.
Result<ProxyHeader> parse_binary(std::string_view whole) {
  const unsigned command = octet(whole, 12) & 15, family = octet(whole, 13) >> 4, transport = octet(whole, 13) & 15;
  ProxyHeader header;
  if (command == 0) {
    header.kind = ProxyHeader::Kind::kProxyself;  // the rest is to be passed over
    return header;
  }
  if (command != 1) return bad("its command is neither LOCAL nor PROXY");
  if (family > 3 || transport > 2) return bad("its family or transport is none");
  constexpr std::array<std::size_t, 4> kAddresses = {0, 12, 36, 216};
  const std::size_t rest = kFixed + kAddresses[family];
  if (whole.size() < rest) return bad("its addresses are cut off");
  if (Status good = check_tlvs(whole, rest, whole.size(), false); !good) return std::unexpected(good.error());
  if (transport == 2) return bad("mail does not come by datagrams");
  if (family != 1 && family != 2) return header;
  const int kind = family == 1 ? AF_INET : AF_INET6;
  const std::size_t size = family == 1 ? 4 : 16;
  header.kind = ProxyHeader::Kind::kTold;
  header.address = address_text(kind, whole.substr(kFixed, size));
  header.port = number_16(whole, kFixed + 2 * size);
  return header;
}

}  // namespace

std::size_t ProxyHeaderReader::wanted() const {
  if (seen_.size() < kFixed) return kFixed - seen_.size();
  return kFixed + number_16(seen_, 14) - seen_.size();
}

// After each octet that may be the last one.
Status ProxyHeaderReader::look() {
  if (seen_.size() < kFixed) return {};
  if (octet(seen_, 12) >> 4 != 2) return bad("its version is not 2");
  if (kFixed + number_16(seen_, 14) > kMost) return bad("it is longer than " + std::to_string(kMost) + " octets");
  if (wanted() > 0) return {};
  auto parsed = parse_binary(seen_);
  if (!parsed) return std::unexpected(parsed.error());
  header_ = std::move(*parsed);
  done_ = true;
  return {};
}

Result<std::size_t> ProxyHeaderReader::push(std::string_view bytes) {
  std::size_t taken = 0;
  while (!done_ && taken < bytes.size()) {
    const bool line = seen_.empty() ? bytes[taken] == 'P' : seen_[0] == 'P';
    // Of a line one octet at a time is looked at, and of the signature too: what is no header is known at once.
    const std::size_t n = line || seen_.size() < kSignature.size() ? 1 : std::min(wanted(), bytes.size() - taken);
    seen_ += bytes.substr(taken, n);
    taken += n;
    if (!line) {
      const std::size_t known = std::min(seen_.size(), kSignature.size());
      if (seen_.substr(0, known) != kSignature.substr(0, known)) return bad("there is none");
      if (Status good = look(); !good) return std::unexpected(good.error());
      continue;
    }
    constexpr std::string_view kStart = "PROXY ";
    const std::size_t known = std::min(seen_.size(), kStart.size());
    if (seen_.substr(0, known) != kStart.substr(0, known)) return bad("there is none");
    if (seen_.back() == '\n') {
      if (!seen_.ends_with("\r\n")) return bad("its line does not end with CR LF");
      auto parsed = parse_line(std::string_view(seen_).substr(0, seen_.size() - 2));
      if (!parsed) return std::unexpected(parsed.error());
      header_ = std::move(*parsed);
      done_ = true;
    } else if (seen_.size() >= kLongestLine) {
      return bad("its line is longer than 107 octets");
    }
  }
  return taken;
}

net::Awaitable<Result<ProxyHeader>> read_proxy_header(net::Stream& stream, Duration limit) {
  ProxyHeaderReader reader;
  stream.expires_after(limit);
  while (!reader.done()) {
    auto bytes = co_await stream.read_some();
    if (!bytes) co_return std::unexpected(std::move(bytes.error()));
    auto taken = reader.push(*bytes);
    if (!taken) co_return std::unexpected(std::move(taken.error()));
    stream.consume(*taken);
  }
  co_return reader.header();
}

net::Peer told_peer(const net::Peer& proxy, const ProxyHeader& header) {
  net::Peer peer;
  const bool told = header.kind == ProxyHeader::Kind::kTold;
  peer.address = told ? header.address : proxy.address;
  peer.port = told ? header.port : 0;
  peer.told = told ? net::Told::kAddress : net::Told::kNothing;
  return peer;
}

}  // namespace sidegate::screen
