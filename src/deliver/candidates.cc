#include "deliver/candidates.h"

#include <algorithm>
#include <random>

#include "base/text.h"
#include "deliver/way.h"
#include "net/socket.h"

namespace sidegate::deliver {
namespace {

constexpr std::size_t kMostServers = 20;  // of one answer: the rest is not ours to pay for

TlsMode tls_on(const RelaySettings& settings, std::uint16_t port) {
  // RFC 8314 section 3.3: 465 speaks TLS from the first octet; with one port the block itself says what is spoken.
  if (port == 465 && !settings.places.ports.empty()) return TlsMode::kImplicit;
  return settings.tls;
}

// A certificate for a name that plain DNS gave us proves nothing, as long as whoever forged the answer may name a
// server of his own (RFC 6186 section 6): where a password is to be shown, the name must be the domain's or below it.
std::string name_of_target(const RelaySettings& settings, const std::string& target) {
  if (!settings.tls_name.empty()) return settings.tls_name;
  if (!settings.has_credentials()) return target;
  const bool below = iequals(target, settings.host) || lower(target).ends_with("." + lower(settings.host));
  return below ? target : settings.host;
}

void add_ladder(std::vector<Candidate>& out, const RelaySettings& settings, const std::string& host,
                const std::string& tls_name, std::optional<std::uint16_t> own_port) {
  std::vector<std::uint16_t> ports = settings.places.ports;
  if (own_port) ports = {*own_port};
  if (ports.empty()) ports = {settings.port};
  for (std::uint16_t port : ports) {
    TlsMode tls = own_port && port == 465 && !settings.places.tls_given ? TlsMode::kImplicit : tls_on(settings, port);
    out.push_back({host, port, tls, tls_name});
  }
}

// "HOST", "HOST:PORT", "[ADDRESS]:PORT".
void add_written(std::vector<Candidate>& out, const RelaySettings& settings, const std::string& text) {
  std::string host = text;
  std::uint16_t port = 0;
  const auto colon = text.rfind(':');
  if (text.starts_with('[')) {
    if (!split_host(text, &host, &port)) host = text;
  } else if (colon != std::string::npos && text.find(':') == colon) {
    if (auto number = parse_number(std::string_view(text).substr(colon + 1)); number && *number <= 65535) {
      host = text.substr(0, colon);
      port = static_cast<std::uint16_t>(*number);
    }
  }
  const std::string name = settings.tls_name.empty() ? host : settings.tls_name;
  add_ladder(out, settings, host, name, port ? std::optional(port) : std::nullopt);
}

struct Server {
  unsigned preference = 0, weight = 0;
  std::uint16_t port = 0;
  std::string target;
};

// "10 mx.example.org", "0 1 465 smtp.example.org".
std::optional<Server> read_server(const std::string& record, bool srv) {
  auto words = split(record, ' ');
  if (words.size() != (srv ? 4u : 2u)) return std::nullopt;
  Server server;
  auto preference = parse_number(words[0]);
  server.target = words.back();
  if (!preference || server.target.empty() || server.target == ".") return std::nullopt;  // RFC 2782, RFC 7505: none
  server.preference = static_cast<unsigned>(*preference);
  if (!srv) return server;
  auto weight = parse_number(words[1]), port = parse_number(words[2]);
  if (!weight || !port || *port == 0 || *port > 65535) return std::nullopt;
  server.weight = static_cast<unsigned>(*weight);
  server.port = static_cast<std::uint16_t>(*port);
  return server;
}

// RFC 2782: by priority; among equals by lot, by their weights. RFC 5321 section 5.1 shuffles equal MX (weights of 0).
std::vector<Server> in_order(const std::vector<std::string>& records, bool srv, std::uint32_t random) {
  std::vector<Server> waiting, chosen;
  for (const std::string& record : records) {
    if (auto server = read_server(record, srv)) waiting.push_back(std::move(*server));
  }
  std::minstd_rand lot(random | 1u);
  std::ranges::shuffle(waiting, lot);
  std::ranges::sort(waiting, {}, &Server::preference);
  while (!waiting.empty() && chosen.size() < kMostServers) {
    std::size_t equals = 0, sum = 0;
    while (equals < waiting.size() && waiting[equals].preference == waiting[0].preference)
      sum += waiting[equals++].weight;
    std::size_t at = 0;
    if (sum > 0) {
      std::size_t number = std::uniform_int_distribution<std::size_t>(1, sum)(lot);
      while (waiting[at].weight < number) number -= waiting[at++].weight;
    }
    chosen.push_back(std::move(waiting[at]));
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return chosen;
}

}  // namespace

std::string Candidate::text() const {
  if (is_path()) return host;
  return net::Endpoint{host, port}.text();
}

std::vector<Candidate> candidates_of(const RelaySettings& settings) {
  std::vector<Candidate> out;
  add_ladder(out, settings, settings.host, settings.tls_name.empty() ? settings.host : settings.tls_name, std::nullopt);
  for (const std::string& more : settings.places.more_hosts) add_written(out, settings, more);
  return out;
}

std::vector<Candidate> candidates_of_mx(const RelaySettings& settings, const std::vector<std::string>& records,
                                        std::uint32_t random) {
  std::vector<Candidate> out;
  for (const Server& server : in_order(records, false, random))
    add_ladder(out, settings, server.target, name_of_target(settings, server.target), std::nullopt);
  return out;
}

std::vector<Candidate> candidates_of_srv(const RelaySettings& settings, const std::vector<std::string>& records,
                                         bool implicit, std::uint32_t random) {
  std::vector<Candidate> out;
  TlsMode tls = implicit ? TlsMode::kImplicit : settings.places.tls_given ? settings.tls : TlsMode::kStartTls;
  if (!implicit && tls == TlsMode::kImplicit) tls = TlsMode::kStartTls;  // the record says what is spoken
  for (const Server& server : in_order(records, true, random))
    out.push_back({server.target, server.port, tls, name_of_target(settings, server.target)});
  return out;
}

}  // namespace sidegate::deliver
