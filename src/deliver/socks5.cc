#include "deliver/socks5.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sidegate::deliver {
namespace {

constexpr char kVersion = 5, kNoLogin = 0, kByPassword = 2, kConnect = 1;
constexpr std::size_t kMostText = 255;  // a length is one octet

std::unexpected<Error> no(ErrorKind kind, std::string text) {
  return fail(kind, "SOCKS5 proxy: " + std::move(text));
}

net::Awaitable<Result<std::string>> take(net::Stream& stream, std::size_t count) {
  std::string out;
  while (out.size() < count) {
    auto some = co_await stream.read_some();
    if (!some) co_return std::unexpected(some.error());
    const std::size_t n = std::min(count - out.size(), some->size());
    out += some->substr(0, n);
    stream.consume(n);
  }
  co_return out;
}

std::string with_length(const std::string& text) {
  return static_cast<char>(text.size()) + text;
}

// RFC 1928 section 5: an address as itself, a name for the proxy to look up.
std::string destination(const std::string& host, std::uint16_t port) {
  std::array<unsigned char, 16> octets{};
  std::string out;
  const std::string bare = host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  if (inet_pton(AF_INET, bare.c_str(), octets.data()) == 1) {
    out = '\1' + std::string(reinterpret_cast<const char*>(octets.data()), 4);
  } else if (inet_pton(AF_INET6, bare.c_str(), octets.data()) == 1) {
    out = '\4' + std::string(reinterpret_cast<const char*>(octets.data()), 16);
  } else {
    out = '\3' + with_length(bare);
  }
  out += static_cast<char>(port >> 8);
  out += static_cast<char>(port & 0xff);
  return out;
}

// RFC 1928 section 6.
std::unexpected<Error> refused(unsigned code) {
  switch (code) {
    case 2:
      return no(ErrorKind::kRefused, "its rules do not allow this connection");
    case 3:
      return no(ErrorKind::kUnreachable, "it cannot reach the network");
    case 4:
      return no(ErrorKind::kUnreachable, "it cannot reach the host, or does not know its name");
    case 5:
      return no(ErrorKind::kRefused, "the server refused its connection");
    case 6:
      return no(ErrorKind::kTimeout, "the connection timed out there");
    default:
      return no(ErrorKind::kUnreachable, fmt::format("it failed with code {}", code));
  }
}

net::Awaitable<Status> log_in(net::Stream& stream, Proxy proxy) {
  std::string login = '\1' + with_length(proxy.user) + with_length(proxy.password);
  Status sent = co_await stream.write(login);
  if (!sent) co_return sent;
  auto answer = co_await take(stream, 2);
  if (!answer) co_return std::unexpected(answer.error());
  if ((*answer)[1] != 0) co_return no(ErrorKind::kAuth, "it does not take our user and password");
  co_return Status();
}

}  // namespace

net::Awaitable<Status> socks5_connect(net::Stream& stream, Proxy proxy, std::string host, std::uint16_t port,
                                      Duration limit) {
  if (host.size() > kMostText || proxy.user.size() > kMostText || proxy.password.size() > kMostText)
    co_return no(ErrorKind::kBadInput, "name, user or password is longer than 255 octets");
  stream.expires_after(limit);
  std::string hello = {kVersion, 1, proxy.user.empty() ? kNoLogin : kByPassword};
  Status sent = co_await stream.write(hello);
  if (!sent) co_return sent;
  auto method = co_await take(stream, 2);
  if (!method) co_return std::unexpected(method.error());
  if ((*method)[0] != kVersion) co_return no(ErrorKind::kProtocol, "what answers there does not speak SOCKS5");
  if ((*method)[1] != hello[2])
    co_return no(ErrorKind::kAuth, proxy.user.empty() ? "it demands a user and a password"
                                                      : "it does not take a login by user and password");
  if (!proxy.user.empty()) {
    Proxy copy = proxy;
    Status known = co_await log_in(stream, std::move(copy));
    if (!known) co_return known;
  }
  std::string request = std::string{kVersion, kConnect, 0} + destination(host, port);
  sent = co_await stream.write(request);
  if (!sent) co_return sent;
  auto head = co_await take(stream, 5);
  if (!head) co_return std::unexpected(head.error());
  const auto code = static_cast<unsigned char>((*head)[1]);
  if ((*head)[0] != kVersion) co_return no(ErrorKind::kProtocol, "its answer is not SOCKS5");
  if (code != 0) co_return refused(code);
  // Where it is bound is of no use to us, but stands before what the server says.
  const auto kind = static_cast<unsigned char>((*head)[3]), length = static_cast<unsigned char>((*head)[4]);
  const std::size_t left = kind == 1 ? 3 + 2 : kind == 4 ? 15 + 2 : kind == 3 ? length + 2u : 0;
  if (left == 0) co_return no(ErrorKind::kProtocol, "its answer is not SOCKS5");
  auto rest = co_await take(stream, left);
  if (!rest) co_return std::unexpected(rest.error());
  co_return Status();
}

}  // namespace sidegate::deliver
