#include "intake/policy.h"

#include <algorithm>

namespace sidegate::intake {
namespace {

bool is_in(const std::vector<Network>& networks, const net::Peer& peer) {
  if (networks.empty() || peer.told == net::Told::kNothing) return false;
  auto address = parse_address(peer.address);
  // Whatever a proxy says: it is this machine that nobody can be by word of mouth (promise 6).
  if (!address || (peer.told == net::Told::kAddress && is_loopback(*address))) return false;
  return std::ranges::any_of(networks, [&](const Network& n) { return n.contains(*address); });
}

bool is_listed(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  return is_in(policy.networks, session.peer);
}

Result<std::vector<Network>> parse_all(const std::vector<std::string>& texts) {
  std::vector<Network> networks;
  for (const std::string& text : texts) {
    auto network = Network::parse(text);
    if (!network) return std::unexpected(network.error());
    networks.push_back(*network);
  }
  return networks;
}

bool trusts_loopback(const ListenerPolicy& policy) {
  return policy.settings.profile == Profile::kLocal && policy.on_loopback && policy.settings.trust_loopback;
}

}  // namespace

Result<std::shared_ptr<const ListenerPolicy>> ListenerPolicy::make(ListenerSettings settings) {
  auto policy = std::make_shared<ListenerPolicy>();
  for (auto [texts, networks] :
       {std::pair{&settings.networks, &policy->networks}, std::pair{&settings.proxy, &policy->proxy},
        std::pair{&settings.xclient, &policy->xclient}}) {
    auto parsed = parse_all(*texts);
    if (!parsed) return std::unexpected(parsed.error());
    *networks = std::move(*parsed);
  }
  if (settings.address.starts_with('/')) {
    policy->on_loopback = true;
  } else if (auto address = parse_address(settings.address)) {
    policy->on_loopback = is_loopback(*address);
  }
  for (const std::string& word : settings.screen.helo_checks) {
    auto check = screen::helo_check(word);
    if (!check) return fail(ErrorKind::kBadInput, "\"" + word + "\" is no check of HELO");
    policy->helo_checks.push_back(*check);
  }
  settings.smtp.offer_starttls = settings.tls == ListenerTls::kStartTls;
  settings.smtp.offer_auth = settings.auth;
  policy->settings = std::move(settings);
  return policy;
}

Standing standing(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  if (session.authenticated()) return Standing::kTrusted;
  if (is_submission(policy.settings.profile)) return Standing::kMustLogIn;
  if (session.peer.is_unix || is_listed(session, policy)) return Standing::kTrusted;
  if (session.peer.loopback && trusts_loopback(policy)) return Standing::kTrusted;
  bool for_listed_alone = policy.settings.profile == Profile::kLocal && !policy.on_loopback;
  return for_listed_alone ? Standing::kUnlisted : Standing::kStranger;
}

std::optional<mail::Reply> refusal_of_mail(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  switch (standing(session, policy)) {
    case Standing::kStranger:
    case Standing::kTrusted:
      break;
    case Standing::kMustLogIn:  // RFC 4954 section 6, RFC 6409 section 4.3
      return mail::Reply(530, {5, 7, 0},
                         session.tls ? "Authentication required" : "Authentication required, after STARTTLS");
    case Standing::kUnlisted:
      if (offers_auth(session, policy)) return mail::Reply(530, {5, 7, 0}, "Authentication required");
      return mail::Reply(550, {5, 7, 1}, "Access denied: mail is taken from listed networks here");
  }
  return std::nullopt;
}

std::optional<mail::Reply> refusal_of_recipient(bool may_relay, Whose whose, std::string_view local_part) {
  if (may_relay || whose == Whose::kOurs) return std::nullopt;
  // RFC 5321 section 3.3 knows no routes in a local part, but the server behind us may.
  bool routed = local_part.find_first_of("@%!") != std::string_view::npos;
  if (whose == Whose::kRelayDomain && !routed) return std::nullopt;
  return mail::Reply(554, {5, 7, 1}, "Relay access denied");
}

bool sends_proxy_header(const net::Peer& peer, const ListenerPolicy& policy) {
  return is_in(policy.proxy, peer);
}

bool may_xclient(const net::Peer& peer, const ListenerPolicy& policy) {
  return is_in(policy.xclient, peer);
}

bool offers_auth(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  return policy.settings.auth && session.tls && !session.authenticated();
}

}  // namespace sidegate::intake
