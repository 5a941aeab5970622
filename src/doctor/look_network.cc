#include "doctor/look_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "dns/files_on_disk.h"
#include "dns/system_files.h"
#include "doctor/gather.h"
#include "net/socket.h"
#include "smtp/client_session.h"

namespace sidegate::doctor {
namespace {

constexpr std::size_t kMostAddresses = 2;  // of one family and target
constexpr std::size_t kMostServers = 4;

// Whether the system has a way to an address out there, and the address it would send from. Connecting a datagram
// socket sends nothing.
bool has_route(const char* address, std::string* source) {
  const bool six = dns::is_six(address);
  const int fd = ::socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_storage to{};
  socklen_t size = six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  auto* four_part = reinterpret_cast<sockaddr_in*>(&to);
  auto* six_part = reinterpret_cast<sockaddr_in6*>(&to);
  if (six) {
    six_part->sin6_family = AF_INET6;
    six_part->sin6_port = htons(53);
    inet_pton(AF_INET6, address, &six_part->sin6_addr);
  } else {
    four_part->sin_family = AF_INET;
    four_part->sin_port = htons(53);
    inet_pton(AF_INET, address, &four_part->sin_addr);
  }
  const bool good = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0;
  if (good && ::getsockname(fd, reinterpret_cast<sockaddr*>(&to), &size) == 0) {
    char text[INET6_ADDRSTRLEN] = "";
    if (inet_ntop(to.ss_family, six ? static_cast<void*>(&six_part->sin6_addr) : &four_part->sin_addr, text,
                  sizeof text))
      *source = text;
  }
  ::close(fd);
  return good;
}

bool speaks_first(std::uint16_t port) {
  return port != 465 && port != 443;
}

// "220 mx.example.org ESMTP": the second word, where it is a name.
std::string name_in(std::string_view greeting) {
  std::size_t at = greeting.find_first_of(" -");
  if (at == std::string_view::npos) return {};
  std::string_view rest = trim(greeting.substr(at + 1));
  std::string_view name = rest.substr(0, rest.find_first_of(" \t;,"));
  if (name.find('.') == std::string_view::npos || name.size() > 255) return {};
  for (char c : name) {
    if (!is_alpha(c) && !is_digit(c) && c != '.' && c != '-' && c != '_') return {};
  }
  return lower(name);
}

// "mx.google.com at your service, [203.0.113.5]".
std::string address_in(std::string_view line) {
  for (std::size_t open = line.find_first_of("[("); open != std::string_view::npos;
       open = line.find_first_of("[(", open + 1)) {
    const std::size_t end = line.find_first_of("])", open);
    if (end == std::string_view::npos) return {};
    std::string_view inside = line.substr(open + 1, end - open - 1);
    if (istarts_with(inside, "ipv6:")) inside.remove_prefix(5);
    if (auto address = dns::literal_address(inside)) return *address;
  }
  return {};
}

smtp::ClientTimeouts timeouts(Duration d) {
  return {.greeting = d,
          .helo = d,
          .mail = d,
          .rcpt = d,
          .starttls = d,
          .auth = d,
          .data_init = d,
          .data_block = d,
          .data_done = d,
          .quit = Duration(500)};
}

class Look {
 public:
  Look(net::Loop& loop, dns::Resolver& resolver, net::WorkerPool& pool, NetworkLook look)
      : loop_(loop), resolver_(resolver), pool_(pool), look_(std::move(look)) {}
  net::Awaitable<NetworkSeen> run();

 private:
  net::Awaitable<void> ask_server(std::size_t index);
  net::Awaitable<void> look_up(std::size_t index);
  net::Awaitable<void> try_one(std::size_t index);
  net::Awaitable<void> speak(Trial& trial, std::unique_ptr<net::Stream> stream, Duration left);
  net::Awaitable<void> shake_hands(Trial& trial, std::unique_ptr<net::Stream> stream, Duration left);
  void plan();

  net::Loop& loop_;
  dns::Resolver& resolver_;
  net::WorkerPool& pool_;
  NetworkLook look_;
  NetworkSeen seen_;
};

net::Awaitable<NetworkSeen> Look::run() {
  seen_.own = look_.own;
  seen_.route4 = has_route("192.88.99.1", &seen_.source4);
  seen_.route6 = has_route("2001:500::1", &seen_.source6);
  std::vector<std::string> servers = look_.dns.servers;
  if (servers.empty()) servers = dns::parse_resolv_conf(dns::read_file(look_.dns.resolv_conf)).servers;
  if (servers.size() > kMostServers) servers.resize(kMostServers);
  for (std::string& server : servers) seen_.servers.push_back({.server = std::move(server)});
  for (const Target& target : look_.targets) {
    if (dns::literal_address(target.host)) continue;
    if (std::ranges::find(seen_.names, target.host, &NameSeen::host) == seen_.names.end())
      seen_.names.push_back({target.host, std::vector<std::string>{}});
  }
  Gather servers_asked(loop_), names_found(loop_);
  for (std::size_t i = 0; i < seen_.servers.size(); ++i) servers_asked.spawn("doctor", ask_server(i));
  for (std::size_t i = 0; i < seen_.names.size(); ++i) names_found.spawn("doctor", look_up(i));
  co_await names_found.wait();
  plan();
  Gather tried(loop_);
  for (std::size_t i = 0; i < seen_.trials.size(); ++i) tried.spawn("doctor", try_one(i));
  co_await tried.wait();
  co_await servers_asked.wait();
  co_return std::move(seen_);
}

net::Awaitable<void> Look::ask_server(std::size_t index) {
  const std::string server = seen_.servers[index].server;
  const Duration limit = std::min(look_.patience, Duration(2'500));
  auto work = [server, limit] { return dns::probe_server(server, limit); };
  auto seen = co_await net::on_worker(pool_, std::move(work));
  if (seen) seen_.servers[index] = std::move(*seen);
}

net::Awaitable<void> Look::look_up(std::size_t index) {
  std::string host = seen_.names[index].host;
  auto found = co_await resolver_.addresses(loop_, std::move(host));
  NameSeen& name = seen_.names[index];
  if (found) {
    name.found = found->list;
  } else {
    name.found = std::unexpected(found.error());
  }
}

void Look::plan() {
  for (const Target& target : look_.targets) {
    std::vector<std::string> addresses;
    if (auto literal = dns::literal_address(target.host)) {
      addresses = {*literal};
    } else if (auto name = std::ranges::find(seen_.names, target.host, &NameSeen::host);
               name != seen_.names.end() && name->found) {
      addresses = *name->found;
    }
    std::size_t count[2] = {0, 0};
    for (const std::string& address : addresses) {
      const bool six = dns::is_six(address);
      if (++count[six] > kMostAddresses) continue;
      for (std::uint16_t port : target.ports) {
        Trial trial{target.host, owner_of(target.host), address, six ? Family::kSix : Family::kFour,
                    port,        target.chosen};
        seen_.trials.push_back(std::move(trial));
      }
    }
  }
}

net::Awaitable<void> Look::try_one(std::size_t index) {
  Trial trial = seen_.trials[index];
  const SteadyTime began = loop_.clock().steady();
  net::Endpoint to{trial.address, trial.port};
  auto stream = co_await net::connect(loop_, to, look_.patience);
  const Duration took = std::chrono::duration_cast<Duration>(loop_.clock().steady() - began);
  trial.milliseconds = took.count();
  if (!stream) {
    trial.failed = stream.error().kind;
    trial.why = printable(stream.error().text, 200);
  } else {
    const Duration left = std::max(look_.patience - took, Duration(1'000));
    if (speaks_first(trial.port)) {
      co_await speak(trial, std::move(*stream), left);
    } else {
      co_await shake_hands(trial, std::move(*stream), left);
    }
  }
  seen_.trials[index] = std::move(trial);
}

net::Awaitable<void> Look::speak(Trial& trial, std::unique_ptr<net::Stream> stream, Duration left) {
  smtp::ClientSession session(*stream, look_.hostname, timeouts(left));
  auto greeted = co_await session.greet();
  if (!greeted && !greeted.error().reply) {
    // Somebody took the connection and hung up at once: as good as a refusal.
    if (greeted.error().error.kind == ErrorKind::kClosed) {
      trial.failed = ErrorKind::kClosed;
      trial.why = printable(greeted.error().error.text, 200);
    }
    co_return;
  }
  const mail::Reply& reply = greeted ? *greeted : *greeted.error().reply;
  trial.greeting_code = reply.code;
  trial.greeting = printable(reply.line(), 200);
  trial.name = name_in(reply.line());
  if (!greeted) co_return;  // 421, 554: it is there all the same
  auto said = co_await session.ehlo();
  if (!said) co_return;
  trial.spoken = true;
  trial.starttls = said->starttls;
  trial.ehlo_name = name_in("250 " + said->host);
  trial.seen_as = address_in(said->host);
  co_await session.quit();
}

net::Awaitable<void> Look::shake_hands(Trial& trial, std::unique_ptr<net::Stream> stream, Duration left) {
  tls::PeerPolicy policy;
  policy.name = trial.target;
  auto context = tls::ClientContext::make(std::move(policy));
  if (!context) co_return;
  stream->expires_after(left);
  std::shared_ptr<const tls::ClientContext> shared = std::move(*context);
  Status secured = co_await stream->start_tls_client(std::move(shared));
  if (!secured) co_return;
  const tls::Verdict& v = stream->verdict();
  trial.tls = true;
  trial.verified = v.verified;
  trial.fingerprint = v.fingerprint;
  trial.certificate = printable(fmt::format("{}", fmt::join(v.names, ", ")), 200);
  stream->close();
}

}  // namespace

net::Awaitable<NetworkSeen> look_at_network(net::Loop& loop, dns::Resolver& resolver, net::WorkerPool& pool,
                                            NetworkLook look) {
  Look one(loop, resolver, pool, std::move(look));
  co_return co_await one.run();
}

net::Awaitable<NamesSeen> look_at_names(net::Loop& loop, dns::Resolver& resolver, std::string hostname,
                                        std::vector<std::string> addresses, Duration patience) {
  NamesSeen seen{hostname, std::vector<std::string>{}, {}};
  if (!dns::literal_address(hostname) && hostname.find('.') != std::string::npos) {
    std::string name = hostname;
    auto found = co_await resolver.addresses(loop, std::move(name));
    if (found) {
      seen.addresses = found->list;
    } else {
      seen.addresses = std::unexpected(found.error());
    }
  }
  for (std::string& address : addresses) {
    std::string asked = address;
    ReverseSeen reverse{std::move(address), {}, std::vector<std::string>{}, {}};
    reverse.names = co_await resolver.names(loop, std::move(asked), patience);
    if (reverse.names) {
      std::vector<std::string> names = *reverse.names;
      if (names.size() > 5) names.resize(5);
      for (const std::string& name : names) {
        std::string forward = name;
        auto found = co_await resolver.addresses(loop, std::move(forward));
        if (found && std::ranges::find(found->list, reverse.address) != found->list.end())
          reverse.confirmed.push_back(name);
      }
    }
    seen.reverse.push_back(std::move(reverse));
  }
  co_return seen;
}

std::vector<std::string> public_addresses(const NetworkSeen& seen) {
  std::vector<std::string> out;
  auto add = [&out](const std::string& address) {
    if (reach(address) == Reach::kPublic && std::ranges::find(out, address) == out.end() && out.size() < 8)
      out.push_back(address);
  };
  for (const Trial& t : seen.trials) add(t.seen_as);
  bool four = std::ranges::any_of(out, [](const std::string& a) { return !dns::is_six(a); });
  bool six = std::ranges::any_of(out, [](const std::string& a) { return dns::is_six(a); });
  if (!four) add(seen.source4);
  if (!six) add(seen.source6);
  return out;
}

}  // namespace sidegate::doctor
