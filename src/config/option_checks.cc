#include "config/option_checks.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/secret_file.h"
#include "mail/idna.h"
#include "mail/mailbox.h"

namespace sidegate::config {
namespace {

struct Address {
  std::array<unsigned char, 16> octets{};
  unsigned bits = 0;  // 32 or 128
};

std::optional<Address> parse_address(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.octets.data()) == 1)
    address.bits = 32;
  else if (inet_pton(AF_INET6, text.c_str(), address.octets.data()) == 1)
    address.bits = 128;
  else
    return std::nullopt;
  return address;
}

struct Network {
  Address address;
  unsigned prefix = 0;
};

std::optional<Network> parse_network(const std::string& text) {
  const std::size_t slash = text.find('/');
  auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string::npos) return Network{*address, address->bits};
  auto prefix = parse_number(std::string_view(text).substr(slash + 1));
  if (!prefix || *prefix > address->bits) return std::nullopt;
  return Network{*address, static_cast<unsigned>(*prefix)};
}

// The address with all bits behind the prefix cleared, as text.
std::string masked(const Network& network) {
  Address a = network.address;
  for (unsigned bit = network.prefix; bit < a.bits; ++bit)
    a.octets[bit / 8] &= static_cast<unsigned char>(~(0x80u >> (bit % 8)));
  char text[INET6_ADDRSTRLEN];
  inet_ntop(a.bits == 32 ? AF_INET : AF_INET6, a.octets.data(), text, sizeof text);
  return fmt::format("{}/{}", text, network.prefix);
}

bool within(const Network& inner, const Network& outer) {
  if (inner.address.bits != outer.address.bits || inner.prefix < outer.prefix) return false;
  return masked({inner.address, outer.prefix}) == masked(outer);
}

std::string without_brackets(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

}  // namespace

Status check_host_name(std::string& text) {
  if (text.empty() || mail::is_helo_name(text)) return {};
  return bad(tr("{} is not a host name such as \"mail.example.org\"", quoted(text)));
}

Status check_domain(std::string& text) {
  text = lower(text);
  if (mail::is_domain(text, true) || (text.starts_with('[') && mail::is_helo_name(text))) return {};
  return bad(tr("{} is not a domain such as \"example.org\"", quoted(text)));
}

Status check_policy_domain(std::string& text) {
  std::string below = text;
  if (text.starts_with('.')) below.erase(0, 1);
  if (Status checked = check_domain(below); !checked || (text.starts_with('.') && below.starts_with('[')))
    return bad(tr("{} is not a domain such as \"example.org\" or \".example.org\"", quoted(text)));
  if (auto ascii = mail::to_ascii(below); ascii) below = *ascii;  // as certificates and the DNS have it
  text = text.starts_with('.') ? "." + below : below;
  return {};
}

Status check_tls_match(std::string& text) {
  const std::string word = lower(text);
  if (word == "hostname" || word == "nexthop" || word == "dot-nexthop") {
    text = word;
    return {};
  }
  if (Status checked = check_policy_domain(text); checked && !text.starts_with('[')) return {};
  return bad(
      tr("{} is neither hostname, nexthop or dot-nexthop nor a name such as \"mx.example.org\" or "
         "\".example.org\"",
         quoted(text)));
}

Status check_delimiter(std::string& text) {
  constexpr std::string_view kMay = "!#$%&'*+-/=?^_`{|}~.";
  bool good = std::ranges::all_of(text, [&](char c) { return kMay.find(c) != std::string_view::npos; });
  if (good && text.find_first_of("/|") == std::string::npos) return {};
  return bad(tr("{} cannot separate user and tag: write + or another sign", quoted(text)));
}

Status check_path(std::string& text) {
  if (text.empty() || text.front() == '/') return {};
  return bad(tr("{} must be a path from the root: it begins with /", quoted(text)));
}

Status check_secret_path(std::string& text) {
  return credential_name(text).empty() ? check_path(text) : Status();
}

Status check_control_socket(std::string& text) {
  if (text.empty()) return bad(_("must name a path"));
  if (text.size() >= sizeof(sockaddr_un::sun_path))
    return bad(
        tr("{} is too long for a Unix socket: at most {} octets", quoted(text), sizeof(sockaddr_un::sun_path) - 1));
  return check_path(text);
}

Status check_submit_socket(std::string& text) {
  return text.empty() ? Status() : check_control_socket(text);
}

Status check_level(std::string& text) {
  static const std::vector<std::string_view> kLevels = {"debug", "info", "warning", "error"};
  if (std::ranges::find(kLevels, text) != kLevels.end()) return {};
  std::string_view near = suggest(lower(text), kLevels);
  return bad(near.empty() ? tr("{} is not one of {}", quoted(text), "\"debug\" | \"info\" | \"warning\" | \"error\"")
                          : tr("{} is not one of {}: did you mean {}?", quoted(text),
                               "\"debug\" | \"info\" | \"warning\" | \"error\"", quoted(near)));
}

Status check_mailbox(std::string& text) {
  if (text.empty()) return {};
  auto mailbox = mail::Mailbox::parse(text, true);
  if (!mailbox)
    return bad(tr("{} is not a mail address such as \"me@example.org\": {}", quoted(text), mailbox.error().text));
  return {};
}

Status check_listen_address(std::string& text) {
  if (!text.empty() && text.front() == '/') return check_control_socket(text);
  std::string bare = without_brackets(text);
  if (is_numeric_address(bare)) {
    text = bare;
    return {};
  }
  if (text == "*" || text.empty())
    return bad(tr("{} is not an address: \"0.0.0.0\" is every IPv4 address, \"::\" every IPv6 one", quoted(text)));
  return bad(tr("{} is not a numeric address such as \"127.0.0.1\" or \"::1\"", quoted(text)));
}

Status check_network(std::string& text) {
  auto network = parse_network(text);
  if (!network) return bad(tr("{} is not a network such as \"192.168.1.0/24\" or \"fd00::/8\"", quoted(text)));
  if (network->prefix == 0)
    return bad(
        tr("{} is the whole world: this would be an open relay. List the networks that are yours", quoted(text)));
  const std::string clean = masked(*network);
  auto address = [](const std::string& cidr) { return cidr.substr(0, cidr.find('/')); };
  if (address(clean) != address(masked({network->address, network->address.bits}))) {
    return bad(tr("{} has bits set behind the prefix: did you mean {}?", quoted(text), quoted(clean)));
  }
  text = clean;
  return {};
}

Status check_dns_server(std::string& text) {
  std::string address = text, port;
  if (const std::size_t at = text.find('@'); at != std::string::npos) {
    address = text.substr(0, at);
    port = text.substr(at + 1);
  } else if (auto parts = parse_host_port(text)) {
    address = parts->host;
    port = parts->port;
  }
  address = without_brackets(address);
  auto number = parse_number(port);
  if (!is_numeric_address(address) || (!port.empty() && (!number || *number == 0 || *number > 65535))) {
    return bad(tr("{} is not a name server such as \"192.0.2.53\" or \"127.0.0.1@5353\"", quoted(text)));
  }
  text = port.empty() ? address : fmt::format("{}@{}", address, port);
  return {};
}

Status check_mechanism(std::string& text) {
  static const std::vector<std::string_view> kMechanisms = {
      "PLAIN",       "LOGIN",         "CRAM-MD5",         "DIGEST-MD5",
      "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS",
      "EXTERNAL"};
  text = upper(text);
  if (std::ranges::find(kMechanisms, text) != kMechanisms.end()) return {};
  std::string_view near = suggest(text, kMechanisms);
  if (!near.empty()) return bad(tr("{} is not a mechanism we know: did you mean {}?", quoted(text), quoted(near)));
  return bad(tr("{} is not a mechanism we know: {}", quoted(text), fmt::format("{}", fmt::join(kMechanisms, ", "))));
}

Status check_fingerprint(std::string& text) {
  std::string_view rest = trim(text);
  for (std::string_view prefix : {"sha256:", "sha256 fingerprint="}) {
    if (istarts_with(rest, prefix)) rest.remove_prefix(prefix.size());
  }
  std::string digits;
  for (char c : rest) {
    if (c != ':') digits += ascii_lower(c);
  }
  bool ok =
      digits.size() == 64 && std::ranges::all_of(digits, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  if (!ok)
    return bad(
        tr("{} is not a SHA-256 fingerprint: \"sha256:\" and 64 hexadecimal digits, as `openssl x509 -noout "
           "-fingerprint -sha256` prints them",
           quoted(text)));
  text = "sha256:" + digits;
  return {};
}

Status check_block_name(std::string& text) {
  bool ok = std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("._-:[]").find(c) != std::string_view::npos;
  });
  if (!ok || text.size() > 255)
    return bad(tr("{} is not a name: letters, digits, dot, hyphen and underscore", quoted(text)));
  return {};
}

Status check_unix_user(std::string& text) {
  bool ok = text.size() <= 32 && std::ranges::all_of(text, [](char c) {
              return is_alpha(c) || is_digit(c) || std::string_view("._-$").find(c) != std::string_view::npos;
            });
  if (!ok || text.empty()) return bad(tr("{} is not a user name", quoted(text)));
  return {};
}

bool is_numeric_address(const std::string& text) {
  return parse_address(text).has_value();
}

bool is_loopback_address(const std::string& text) {
  auto network = parse_network(text);
  return network && (within(*network, *parse_network("127.0.0.0/8")) || within(*network, *parse_network("::1")));
}

bool is_private_network(const std::string& cidr) {
  auto network = parse_network(cidr);
  if (!network) return false;
  for (const char* own : {"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                          "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10"}) {
    if (within(*network, *parse_network(own))) return true;
  }
  return false;
}

bool network_holds(const std::string& cidr, const std::string& address) {
  auto network = parse_network(cidr);
  auto one = parse_network(address);
  return network && one && within(*one, *network);
}

Result<HostPort> parse_host_port(std::string_view text) {
  HostPort parts;
  std::string_view rest = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad(tr("{} has no closing bracket", quoted(text)));
    parts.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':'))
      return bad(tr("{}: after the bracket comes nothing, or a colon and the port", quoted(text)));
    if (!rest.empty()) parts.port = rest.substr(1);
    if (!rest.empty() && parts.port.empty()) return bad(tr("{} has no port after the colon", quoted(text)));
  } else if (std::ranges::count(text, ':') == 1) {
    const std::size_t colon = text.find(':');
    parts.host = text.substr(0, colon);
    parts.port = text.substr(colon + 1);
    if (parts.port.empty()) return bad(tr("{} has no port after the colon", quoted(text)));
  } else {
    parts.host = text;  // a name, IPv4, or IPv6 without brackets
  }
  if (parts.host.empty()) return bad(tr("{} names no host", quoted(text)));
  if (parts.host.find(':') != std::string::npos) {
    if (!is_numeric_address(parts.host)) return bad(tr("{} is not an IPv6 address", quoted(parts.host)));
    parts.host = "[" + parts.host + "]";  // as an address literal is written (RFC 5321 section 4.1.3)
  } else if (!is_numeric_address(parts.host) && !mail::is_helo_name(parts.host)) {
    return bad(tr("{} is not a host name", quoted(parts.host)));
  }
  return parts;
}

}  // namespace sidegate::config
