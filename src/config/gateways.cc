#include "config/gateways.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/secret_file.h"

namespace sidegate::config {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string address_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

bool is_bridge(const std::string& interface) {
  struct stat st{};
  return stat(("/sys/class/net/" + interface + "/bridge").c_str(), &st) == 0;
}

bool lists_anybody(const intake::ListenerSettings& l) {
  return !is_submission(l.profile) && !l.networks.empty();
}

}  // namespace

std::vector<std::string> gateways_of(std::string_view proc_net_route) {
  std::vector<std::string> found;
  bool heading = true;
  for (std::string_view line : split(proc_net_route, '\n')) {
    if (std::exchange(heading, false)) continue;
    auto words = words_of(line);  // Iface Destination Gateway Flags ...: hexadecimal, in this machine's order
    if (words.size() < 3 || words[2].size() != 8) continue;
    in_addr gateway{};
    auto [end, error] = std::from_chars(words[2].data(), words[2].data() + 8, gateway.s_addr, 16);
    if (error != std::errc() || gateway.s_addr == 0) continue;
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &gateway, text, sizeof text);
    if (std::ranges::find(found, text) == found.end()) found.emplace_back(text);
  }
  return found;
}

std::vector<std::string> gateways6_of(std::string_view proc_net_ipv6_route) {
  std::vector<std::string> found;
  for (std::string_view line : split(proc_net_ipv6_route, '\n')) {
    auto words = words_of(line);  // destination, its prefix, source, its prefix, next hop ...: hexadecimal
    if (words.size() < 5 || words[4].size() != 32) continue;
    in6_addr gateway{};
    bool whole = true;
    for (std::size_t i = 0; i < 16 && whole; ++i) {
      const char* digits = words[4].data() + 2 * i;
      auto [end, error] = std::from_chars(digits, digits + 2, gateway.s6_addr[i], 16);
      whole = error == std::errc() && end == digits + 2;
    }
    if (!whole || IN6_IS_ADDR_UNSPECIFIED(&gateway) || IN6_IS_ADDR_LINKLOCAL(&gateway)) continue;
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(AF_INET6, &gateway, text, sizeof text);
    if (std::ranges::find(found, text) == found.end()) found.emplace_back(text);
  }
  return found;
}

Surroundings look_around() {
  Surroundings around;
  if (auto routes = read_text_file("/proc/net/route", 1 << 20)) around.gateways = gateways_of(*routes);
  if (auto routes = read_text_file("/proc/net/ipv6_route", 1 << 20)) {
    for (std::string& gateway : gateways6_of(*routes)) around.gateways.push_back(std::move(gateway));
  }
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return around;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || !is_bridge(one->ifa_name)) continue;
    if (std::string address = address_text(one->ifa_addr); !address.empty())
      around.bridges.push_back({one->ifa_name, address});
  }
  freeifaddrs(all);
  return around;
}

Problems warn_about_gateways(const Settings& settings, const Surroundings& around) {
  Problems warnings;
  for (const intake::ListenerSettings& l : settings.listeners) {
    if (!lists_anybody(l)) continue;
    for (const std::string& network : l.networks) {
      for (const std::string& gateway : around.gateways) {
        if (!network_holds(network, gateway)) continue;
        warnings.push_back(
            {{},
             tr("listener {}: {} holds the router {}: where it forwards the port under its own address, "
                "the whole world may send mail through you",
                l.name, network, gateway),
             _("list the machines that send, one by one, or make sure that the router keeps the clients' "
               "addresses")});
      }
      for (const Surroundings::Bridge& bridge : around.bridges) {
        if (!network_holds(network, bridge.address)) continue;
        warnings.push_back(
            {{},
             tr("listener {}: {} holds {}, the address of bridge {}: behind a container's published port "
                "the whole world appears with it",
                l.name, network, bridge.address, bridge.name),
             _("list the containers' own addresses, or let them log in")});
      }
    }
  }
  return warnings;
}

std::vector<std::string> who_may_relay(const Settings& settings) {
  std::vector<std::string> sentences;
  for (const intake::ListenerSettings& l : settings.listeners) {
    if (lists_anybody(l))
      sentences.push_back(tr("listener {}: without logging in, mail to anywhere is taken from {}", l.name,
                             fmt::format("{}", fmt::join(l.networks, ", "))));
  }
  return sentences;
}

}  // namespace sidegate::config
