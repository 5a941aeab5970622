#include "milter/address.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace sidegate::milter {

namespace {

std::unexpected<Error> bad(std::string_view text) {
  return fail(ErrorKind::kBadInput,
              "\"" + printable(text, 200) + "\" is no address of a milter: write inet:HOST@PORT or unix:/PATH");
}

std::string_view without_brackets(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2) : host;
}

bool is_port(std::string_view text) {
  auto number = parse_number(text);
  return number && *number >= 1 && *number <= 65'535;
}

Result<Address> parse_inet(std::string_view text, std::string_view rest) {
  std::size_t at = rest.find('@');
  if (at == std::string_view::npos) at = rest.rfind(':');
  if (at == std::string_view::npos) return bad(text);
  std::string_view host = rest.substr(0, at);
  std::string_view port = rest.substr(at + 1);
  // libmilter writes the port first. A host is never a bare number.
  if (rest[at] == '@' && is_port(host) && !is_port(port)) std::swap(host, port);
  host = without_brackets(host);
  if (host.empty() || !is_port(port) || host.find_first_of(" /@[]") != std::string_view::npos) return bad(text);
  return Address{.path = {}, .host = std::string(host), .port = static_cast<unsigned>(*parse_number(port))};
}

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
  Error last{ErrorKind::kNotFound, "\"" + to.host + "\" is no numeric address"};
  for (const net::Endpoint& place : places(to)) {
    auto made = co_await net::connect(*loop, place, timeout);
    if (made) co_return std::move(*made);
    last = made.error();
  }
  co_return std::unexpected(last);
}

}  // namespace

std::string Address::text() const {
  return path.empty() ? "inet:" + host + "@" + std::to_string(port) : "unix:" + path;
}

Result<Address> parse_address(std::string_view text) {
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return bad(text);
  std::string_view kind = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (iequals(kind, "inet") || iequals(kind, "inet6")) return parse_inet(text, rest);
  if (!iequals(kind, "unix") && !iequals(kind, "local")) return bad(text);
  // An absolute path, short enough for a socket's address (108 octets with its NUL).
  if (!rest.starts_with('/') || rest.size() > 107 || rest.find('\0') != std::string_view::npos) return bad(text);
  return Address{.path = std::string(rest), .host = {}, .port = 0};
}

Dial dial_on(net::Loop& loop) {
  return [at = &loop](Address to, Duration timeout) { return dial(at, std::move(to), timeout); };
}

}  // namespace sidegate::milter
