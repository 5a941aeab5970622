#include "config/proxy.h"

#include "base/text.h"

namespace sidegate::config {

constexpr std::size_t kMostText = 255;  // RFC 1928, RFC 1929: a length is one octet

Result<deliver::Proxy> parse_proxy(const std::string& text) {
  auto bad = [](std::string why) { return fail(ErrorKind::kBadInput, std::move(why)); };
  std::string_view rest = text;
  const auto scheme = rest.find("://");
  const std::string kind = scheme == std::string_view::npos ? std::string() : lower(rest.substr(0, scheme));
  if (kind != "socks5" && kind != "socks5h") return bad("must begin with socks5://");
  rest.remove_prefix(scheme + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  deliver::Proxy proxy;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    std::string_view login = rest.substr(0, at);
    const auto colon = login.find(':');
    proxy.user = login.substr(0, colon);
    if (colon != std::string_view::npos) proxy.password = login.substr(colon + 1);
    if (proxy.user.empty()) return bad("has no user before the @");
    rest.remove_prefix(at + 1);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad("has no ] after the address");
    proxy.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
  } else {
    const auto colon = rest.find(':');
    proxy.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (proxy.host.empty()) return bad("has no host");
  if (!port.empty()) {
    auto number = port.starts_with(':') ? parse_number(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > 65535) return bad("has no port after the colon");
    proxy.port = static_cast<std::uint16_t>(*number);
  }
  if (proxy.user.size() > kMostText || proxy.password.size() > kMostText || proxy.host.size() > kMostText)
    return bad("is too long: each part at most 255 octets");
  return proxy;
}

}  // namespace sidegate::config
