#include "milter/dial.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace sidegate::milter {

namespace {

bool is_numeric(const std::string& host) {
  unsigned char place[16];
  return inet_pton(AF_INET, host.c_str(), place) == 1 || inet_pton(AF_INET6, host.c_str(), place) == 1;
}

// Where to try, in order.
std::vector<net::Endpoint> places(const Address& address) {
  if (!address.path.empty()) return {{address.path, 0}};
  if (is_numeric(address.host)) return {{address.host, address.port}};
  if (iequals(address.host, "localhost")) return {{"127.0.0.1", address.port}, {"::1", address.port}};
  return {};
}

net::Awaitable<Result<std::unique_ptr<net::Stream>>> dial(net::Loop* loop, Address to, Duration timeout) {
  std::vector<net::Endpoint> tried = places(to);
  if (tried.empty()) co_return fail(ErrorKind::kNotFound, "\"" + to.host + "\" is no numeric address");
  co_return co_await connect_one_of(*loop, std::move(tried), timeout);
}

}  // namespace

net::Awaitable<Result<std::unique_ptr<net::Stream>>> connect_one_of(net::Loop& loop, std::vector<net::Endpoint> places,
                                                                    Duration timeout) {
  Error last;
  for (net::Endpoint& place : places) {
    auto made = co_await net::connect(loop, std::move(place), timeout);
    if (made) co_return std::move(*made);
    last = made.error();
  }
  co_return std::unexpected(last);
}

Dial dial_on(net::Loop& loop) {
  return [at = &loop](Address to, Duration timeout) { return dial(at, std::move(to), timeout); };
}

}  // namespace sidegate::milter
