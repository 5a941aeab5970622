#include "cli/own_places.h"

#include <algorithm>

#include "base/text.h"
#include "config/option_checks.h"
#include "intake/policy.h"

namespace sidegate::cli {
namespace {

using doctor::Interface;
using doctor::Place;
using doctor::Role;

constexpr std::size_t kMostAddresses = 16;  // of one listener

Role role_of(intake::Profile profile) {
  switch (profile) {
    case intake::Profile::kSmtp:
      return Role::kServers;
    case intake::Profile::kSubmission:
      return Role::kSubmission;
    case intake::Profile::kSubmissions:
      return Role::kSubmissions;
    case intake::Profile::kLocal:
      break;
  }
  return Role::kPrograms;
}

bool is_wildcard(const std::string& address) {
  return address == "0.0.0.0" || address == "::";
}

// Where a listener can be met from this machine: its address, or every one of ours of that family.
std::vector<std::string> addresses_of(const intake::ListenerSettings& l, const std::vector<Interface>& own) {
  if (!is_wildcard(l.address)) return {l.address};
  const bool six = l.address == "::";
  std::vector<std::string> all = {six ? "::1" : "127.0.0.1"};
  for (const Interface& i : own) {
    if ((i.address.find(':') != std::string::npos) != six || doctor::reach(i.address) == doctor::Reach::kLinkLocal)
      continue;
    if (std::ranges::find(all, i.address) == all.end() && all.size() < kMostAddresses) all.push_back(i.address);
  }
  return all;
}

smtp::SessionInfo session_from(const std::string& source) {
  smtp::SessionInfo session;
  session.peer.address = source;
  session.peer.loopback = config::is_loopback_address(source);
  return session;
}

bool takes_for_proxy(const intake::ListenerPolicy& policy, const std::string& source) {
  return intake::sends_proxy_header(session_from(source).peer, policy);
}

bool relays_for(const intake::ListenerPolicy& policy, const std::string& source) {
  // A proxy that names no client: nobody is trusted behind it.
  return !takes_for_proxy(policy, source) && intake::may_relay(session_from(source), policy);
}

}  // namespace

std::string own_domain(const config::Settings& settings) {
  if (!settings.alias.local_domains.empty()) return settings.alias.local_domains.front();
  if (!settings.relay_domains.empty()) return settings.relay_domains.front().domain;
  return settings.hostname;
}

// Addresses elsewhere, for the trials: of reserved names (RFC 2606) that are not ours by chance.
void choose_strangers(const std::vector<std::string>& ours, doctor::LookOptions& options) {
  std::vector<std::string> free;
  for (const char* name : {"example.org", "example.net", "example.com", "relay-check.invalid", "relay-check.test"}) {
    if (std::ranges::none_of(ours, [&](const std::string& own) { return iequals(own, name); })) free.emplace_back(name);
  }
  if (free.size() < 2) return;
  options.away = "relay-check@" + free[0];
  options.sender = "relay-check@" + free[1];
}

std::vector<std::string> own_domains(const config::Settings& settings) {
  std::vector<std::string> ours = settings.alias.local_domains;
  ours.push_back(settings.hostname);
  for (const config::RelayDomainBlock& block : settings.relay_domains) ours.push_back(block.domain);
  return ours;
}

std::vector<Place> own_places(const config::Settings& settings, const std::vector<Interface>& own) {
  std::vector<Place> places;
  for (const intake::ListenerSettings& l : settings.listeners) {
    auto policy = intake::ListenerPolicy::make(l);
    if (l.address.starts_with('/') || l.port == 0 || !policy) continue;
    for (const std::string& address : addresses_of(l, own)) {
      Place place{l.name, settings.hostname, address, l.port};
      place.role = role_of(l.profile);
      place.implicit_tls = l.tls == intake::ListenerTls::kImplicit;
      place.local_recipient = "postmaster@" + own_domain(settings);
      // A connection to an address of ours comes from that address.
      place.relays_for_us = relays_for(**policy, address);
      place.proxy = takes_for_proxy(**policy, address);
      places.push_back(place);
      // And once more as this machine's programs come, or a port forward to it: loopback is no identity.
      const std::string loopback = address.find(':') != std::string::npos ? "::1" : "127.0.0.1";
      const bool listed = relays_for(**policy, loopback);
      if (config::is_loopback_address(address) || listed || is_wildcard(l.address)) continue;
      place.source = loopback;
      place.proxy = takes_for_proxy(**policy, loopback);
      place.relays_for_us = false;
      place.only_relaying = true;
      places.push_back(std::move(place));
    }
  }
  return places;
}

}  // namespace sidegate::cli
