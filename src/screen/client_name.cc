#include "screen/client_name.h"

#include <algorithm>

#include "mail/mailbox.h"
#include "net/networks.h"

namespace sidegate::screen {
namespace {

constexpr std::size_t kMostNames = 4;

bool leads_back(const std::vector<std::string>& addresses, const std::string& address) {
  const auto wanted = net::parse_address(address);
  return wanted &&
         std::ranges::any_of(addresses, [&](const std::string& one) { return net::parse_address(one) == wanted; });
}

}  // namespace

std::vector<std::string> host_names(const std::vector<std::string>& records, std::size_t most) {
  std::vector<std::string> names;
  for (const std::string& record : records) {
    std::string_view name = record;
    if (name.ends_with('.')) name.remove_suffix(1);
    // A name of numbers alone would pass for an address in a log and in Received.
    if (!mail::is_domain(name, false) || net::parse_address(name)) continue;
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
    if (names.size() == most) break;
  }
  return names;
}

net::Awaitable<ClientName> find_client_name(Asker& asker, net::Loop& loop, std::string address, Duration limit) {
  const SteadyTime end = loop.clock().steady() + limit;
  ClientName client;
  Found found = co_await asker.names(loop, address, limit);
  if (is_absent(found)) client.reverse = Reverse::kMissing;
  if (!found) co_return client;
  const std::vector<std::string> names = host_names(*found, kMostNames);
  client.reverse = names.empty() ? Reverse::kMissing : Reverse::kUnconfirmed;
  if (!names.empty()) client.ptr = names.front();
  const bool six = address.find(':') != std::string::npos;
  for (const std::string& name : names) {
    const Duration left = std::chrono::duration_cast<Duration>(end - loop.clock().steady());
    if (left <= Duration(0)) {
      client.reverse = Reverse::kUnknown;
      break;
    }
    Found back = co_await asker.records(loop, name, six ? dns::RecordType::kAaaa : dns::RecordType::kA, left);
    if (back && leads_back(*back, address)) {
      client.verified = client.ptr = name;
      client.reverse = Reverse::kConfirmed;
      break;
    }
    if (!back && !is_absent(back)) client.reverse = Reverse::kUnknown;  // our confusion is nobody's fault
  }
  co_return client;
}

}  // namespace sidegate::screen
