// What one listener lets whom do: its settings with everything parsed that can be parsed once. Immutable; a session
// keeps the one it began with.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "intake/networks.h"
#include "intake/settings.h"
#include "mail/reply.h"
#include "screen/helo.h"
#include "smtp/receiver.h"

namespace sidegate::intake {

struct ListenerPolicy {
  ListenerSettings settings;
  std::vector<Network> networks, proxy, xclient;
  std::vector<screen::HeloCheck> helo_checks;
  bool on_loopback = false;  // the listener's own address is 127.0.0.0/8, ::1 or a Unix socket
  static Result<std::shared_ptr<const ListenerPolicy>> make(ListenerSettings settings);
};

// How a client stands with a listener: all that its profile, address and login come to. Pure.
enum class Standing : std::uint8_t {
  kStranger,   // mail for our own recipients and relay domains
  kTrusted,    // anywhere
  kMustLogIn,  // nothing before AUTH
  kUnlisted,   // nothing at all: this listener is for listed networks
};

// Promise 6. On `submission` and `submissions` everybody logs in, listed networks and this machine's programs too.
// Elsewhere relaying needs AUTH, a Unix peer or a listed network. Loopback counts only on a `local` listener that is
// itself on loopback: behind a port forward or a container's proxy the whole world appears as 127.0.0.1.
Standing standing(const smtp::SessionInfo& session, const ListenerPolicy& policy);
inline bool may_relay(const smtp::SessionInfo& session, const ListenerPolicy& policy) {
  return standing(session, policy) == Standing::kTrusted;
}

// Why a transaction may not begin; nullopt: it may.
std::optional<mail::Reply> refusal_of_mail(const smtp::SessionInfo& session, const ListenerPolicy& policy);

// Whose a recipient is, before anybody is asked whether it exists.
enum class Whose : std::uint8_t { kOurs, kRelayDomain, kElsewhere };
// local_part: of the recipient. Sender-specified routing ("user%far.example@relay.example") is for who may relay.
std::optional<mail::Reply> refusal_of_recipient(bool may_relay, Whose whose, std::string_view local_part);

// A PROXY header must stand before this peer's first octet; this peer may say by XCLIENT who the client is. In both the
// peer is the socket's, or who a PROXY header named.
bool sends_proxy_header(const net::Peer& peer, const ListenerPolicy& policy);
bool may_xclient(const net::Peer& peer, const ListenerPolicy& policy);

// What the settings say together: AUTH is named to this client, in its state now.
bool offers_auth(const smtp::SessionInfo& session, const ListenerPolicy& policy);

}  // namespace sidegate::intake
