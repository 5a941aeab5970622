#include "config/proxy.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::config {

constexpr std::size_t kMostText = 255;  // RFC 1928, RFC 1929: a length is one octet

// RFC 3986 section 2.1: what has a meaning in a URL is written as %XX. nullopt: a % without two hexadecimal digits.
static std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* from = text.data() + i + 1;
    const char* to = text.data() + std::min(i + 3, text.size());
    if (auto [end, error] = std::from_chars(from, to, value, 16); error != std::errc() || end != from + 2)
      return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Result<deliver::Proxy> parse_proxy(const std::string& text) {
  auto bad = [](std::string why) { return fail(ErrorKind::kBadInput, std::move(why)); };
  std::string_view rest = text;
  const auto scheme = rest.find("://");
  const std::string kind = scheme == std::string_view::npos ? std::string() : lower(rest.substr(0, scheme));
  if (kind != "socks5" && kind != "socks5h") return bad(_("must begin with socks5://"));
  rest.remove_prefix(scheme + 3);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  deliver::Proxy proxy;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    std::string_view login = rest.substr(0, at);
    const auto colon = login.find(':');
    auto user = decoded(login.substr(0, colon));
    auto password = decoded(colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
    if (!user || !password) return bad(_("has a % that no two hexadecimal digits follow: % itself is written %25"));
    proxy.user = std::move(*user);
    proxy.password = std::move(*password);
    if (proxy.user.empty()) return bad(_("has no user before the @"));
    rest.remove_prefix(at + 1);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad(_("has no ] after the address"));
    proxy.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
  } else {
    const auto colon = rest.find(':');
    proxy.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (proxy.host.empty()) return bad(_("has no host"));
  if (!port.empty()) {
    auto number = port.starts_with(':') ? parse_number(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > 65535) return bad(_("has no port after the colon"));
    proxy.port = static_cast<std::uint16_t>(*number);
  }
  if (proxy.user.size() > kMostText || proxy.password.size() > kMostText || proxy.host.size() > kMostText)
    return bad(_("is too long: each part at most 255 octets"));
  return proxy;
}

}  // namespace sidegate::config
