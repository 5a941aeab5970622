// The rest of a [[relay]] block: where the relay is, and how it is reached.
#include <arpa/inet.h>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

constexpr std::size_t kMostPorts = 16;

Status set_ports(void* member, const Value& value, const Range&) {
  std::vector<Value> given = value.list;
  if (value.plain) {  // environment: parts with commas between
    for (std::string_view part : split(value.string, ',')) {
      if (!trim(part).empty()) given.push_back(Value::from_text(trim(part)));
    }
  } else if (value.kind != Value::Kind::kList) {
    given = {value};
  }
  std::vector<std::uint16_t> ports;
  for (const Value& one : given) {
    std::uint16_t port = 0;
    Status set = codec<std::uint16_t>().set(&port, one, {});
    if (!set) return set;
    if (std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
  }
  if (ports.size() > kMostPorts) return fail(ErrorKind::kBadInput, tr("more than {} ports", kMostPorts));
  *static_cast<std::vector<std::uint16_t>*>(member) = std::move(ports);
  return {};
}

std::string ports_text(const void* member) {
  return fmt::format("[{}]", fmt::join(*static_cast<const std::vector<std::uint16_t>*>(member), ", "));
}

}  // namespace

template <>
const Codec& codec<std::vector<std::uint16_t>>() {
  static const Codec kCodec = {"list of ports", set_ports, ports_text, nullptr};
  return kCodec;
}

Status check_source_address(std::string& text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (is_numeric_address(text)) return {};
  return fail(ErrorKind::kBadInput, tr("{} is no numeric address", quoted(text)));
}

Status check_relay_host(std::string& text) {
  auto parts = parse_host_port(text);
  if (!parts) return std::unexpected(parts.error());
  if (parts->port.empty()) return {};
  auto port = parse_port(parts->port);
  if (!port) return std::unexpected(port.error());
  text = parts->host + ":" + std::to_string(*port);
  return {};
}

void add_relay_place_options(Table& relay) {
  using enum Apply;
  using enum Secrecy;
  using deliver::Places;
  std::vector<Option> more = {
      {"provider", Place(&RelayBlock::places, &Places::provider), "", kAny, kLive, kOpen,
       N_("A provider we know: host, ports, TLS and what it demands come from there, and keys of this block win over "
          "it. `sidegate config providers` lists them.")},
      {"server", Place(&RelayBlock::places, &Places::server), "", kAny, kLive, kOpen,
       N_("Your own part of the host's name, where the provider's servers have one for each customer: "
          "\"sv1234\", \"example.sakura.ne.jp\".")},
      {"region", Place(&RelayBlock::places, &Places::region), "", kAny, kLive, kOpen,
       N_("The region of a provider that has several: \"ap-northeast-1\", \"eu\".")},
      {"hosts", Place(&RelayBlock::places, &Places::more_hosts).checked(check_relay_host), "", kAny, kLive, kOpen,
       N_("Further servers of this relay, tried in order after host, each with a port of its own where it gives one.")},
      {"ports", Place(&RelayBlock::places, &Places::ports), "", kAny, kLive, kOpen,
       N_("Ports to try, in order: [465, 587, 2525]. 465 speaks TLS from the first octet, the others as tls says. What "
          "works is remembered; the first is looked at again after 10 minutes, then every hour.")},
      {"mx", Place(&RelayBlock::places, &Places::mx), "false", kAny, kLive, kOpen,
       N_("host is a domain, and its MX records name the servers.")},
      {"srv", Place(&RelayBlock::places, &Places::srv), "false", kAny, kLive, kOpen,
       N_("host is a domain, and its SRV records name the servers and ports: _submissions._tcp, then _submission._tcp "
          "(RFC 6186, RFC 8314).")},
      {"source_address", Place(&RelayBlock::source_addresses).checked(check_source_address), "", kAny, kLive, kOpen,
       N_("Addresses of this machine to connect from, one of each family: [\"192.0.2.10\", \"2001:db8::10\"]. Empty: "
          "the system chooses.")},
      {"proxy", Place(&RelayBlock::proxy, &deliver::Proxy::url), "", kAny, kLive, kSecret,
       N_("A SOCKS5 proxy that leads there and looks the name up: \"socks5://127.0.0.1:9050\", "
          "\"socks5://user:password@proxy.example:1080\". In user and password %40 is an @, %3A a colon, %25 a %.")},
      {"tls_certificate", Place(&RelayBlock::certificate, &tls::Identity::cert_file).checked(check_path), "", kAny,
       kLive, kOpen,
       N_("A certificate (PEM, with its chain) that we show when asked; the login is then EXTERNAL where that is "
          "offered.")},
      {"tls_key", Place(&RelayBlock::certificate, &tls::Identity::key_file).checked(check_path), "", kAny, kLive, kOpen,
       N_("Its key. Empty: in the same file.")},
  };
  auto at = relay.options.begin() + 2;  // behind name and host
  relay.options.insert(at, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace sidegate::config
