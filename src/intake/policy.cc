#include "intake/policy.h"

namespace sidegate::intake {

Result<std::shared_ptr<const ListenerPolicy>> ListenerPolicy::make(ListenerSettings settings) {
  auto policy = std::make_shared<ListenerPolicy>();
  for (const std::string& text : settings.networks) {
    auto network = Network::parse(text);
    if (!network) return std::unexpected(network.error());
    policy->networks.push_back(*network);
  }
  if (settings.address.starts_with('/')) {
    policy->on_loopback = true;
  } else if (auto address = parse_address(settings.address)) {
    policy->on_loopback = is_loopback(*address);
  }
  policy->settings = std::move(settings);
  return policy;
}

bool may_relay(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  if (!session.user.empty() || session.peer.is_unix) return true;
  if (session.peer.loopback && policy.on_loopback && policy.settings.trust_loopback) return true;
  if (policy.networks.empty()) return false;
  auto address = parse_address(session.peer.address);
  if (!address) return false;
  for (const Network& network : policy.networks) {
    if (network.contains(*address)) return true;
  }
  return false;
}

}  // namespace sidegate::intake
