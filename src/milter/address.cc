#include "milter/address.h"

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::milter {

namespace {

std::unexpected<Error> bad(std::string_view text) {
  return fail(ErrorKind::kBadInput,
              tr("\"{}\" is no address of a milter: write inet:HOST:PORT or unix:/PATH", printable(text, 200)));
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

// An absolute path, short enough for a socket's address (108 octets with its NUL).
Result<Address> parse_unix(std::string_view text, std::string_view path) {
  if (!path.starts_with('/') || path.size() > 107 || path.find('\0') != std::string_view::npos) return bad(text);
  return Address{.path = std::string(path), .host = {}, .port = 0};
}

}  // namespace

std::string Address::text() const {
  if (!path.empty()) return "unix:" + path;
  return "inet:" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with('/')) return parse_unix(text, text);
  std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return bad(text);
  std::string_view kind = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 1);
  if (iequals(kind, "inet") || iequals(kind, "inet6")) return parse_inet(text, rest);
  if (!iequals(kind, "unix") && !iequals(kind, "local")) return bad(text);
  return parse_unix(text, rest);
}

}  // namespace sidegate::milter
