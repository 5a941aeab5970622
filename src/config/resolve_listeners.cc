// Listeners: what follows from a profile, and what would make one an open relay (promise 6).
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "config/option_checks.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

using intake::ListenerTls;
using intake::Profile;

constexpr std::uint16_t kSubmissionPort = 587, kSubmissionsPort = 465;

std::string profile_text(Profile profile) {
  return codec<Profile>().text(&profile);
}

std::string listener_name(const intake::ListenerSettings& l) {
  if (l.address.starts_with('/')) return l.address;
  return l.address.find(':') != std::string::npos ? fmt::format("[{}]:{}", l.address, l.port)
                                                  : fmt::format("{}:{}", l.address, l.port);
}

bool only_reachable_from_here(const intake::ListenerSettings& l) {
  return l.address.starts_with('/') || is_loopback_address(l.address);
}

void default_listeners(Draft& draft) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    intake::ListenerSettings l;
    l.address = address;
    draft.loaded.settings.listeners.push_back(std::move(l));
  }
}

Profile profile_of_place(const intake::ListenerSettings& l) {
  if (only_reachable_from_here(l)) return Profile::kLocal;
  // Nobody may send through these two without logging in, whatever else is (not) written.
  if (l.port == kSubmissionPort) return Profile::kSubmission;
  if (l.port == kSubmissionsPort) return Profile::kSubmissions;
  return Profile::kSmtp;
}

ListenerTls tls_of_profile(Profile profile) {
  switch (profile) {
    case Profile::kLocal:
      return ListenerTls::kNone;
    case Profile::kSmtp:
    case Profile::kSubmission:
      return ListenerTls::kStartTls;
    case Profile::kSubmissions:
      return ListenerTls::kImplicit;
  }
  return ListenerTls::kNone;
}

void resolve_profile(Draft& draft, std::size_t i, intake::ListenerSettings& l) {
  if (!draft.given("listener", i, "profile")) l.profile = profile_of_place(l);
  if (!draft.given("listener", i, "port")) {
    if (l.profile == Profile::kSubmission) l.port = kSubmissionPort;
    if (l.profile == Profile::kSubmissions) l.port = kSubmissionsPort;
  }
  if (!draft.given("listener", i, "tls")) l.tls = tls_of_profile(l.profile);
  if (!draft.given("listener", i, "auth")) l.auth = is_submission(l.profile);
  if (!draft.given("listener", i, "client_names")) l.screen.client_names = l.profile == Profile::kSmtp;
  if (!draft.given("listener", i, "blocklists")) l.screen.blocklists = l.profile == Profile::kSmtp;
}

// Settings that would leave a listener of no use, or a password in the open.
void check_profile(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  auto error = [&](const char* key, std::string what, std::string next) {
    draft.error(draft.where("listener", i, key), tr("listener {}: {}", l.name, what), std::move(next));
  };
  const std::string profile = profile_text(l.profile);
  if (l.profile == Profile::kSubmissions && l.tls != ListenerTls::kImplicit)
    return error("tls", tr("profile = {} speaks TLS from the first octet (RFC 8314)", profile),
                 _("remove tls, or write profile = \"submission\""));
  if (l.tls == ListenerTls::kNone && l.auth)
    return error(draft.given("listener", i, "tls") ? "tls" : "auth",
                 _("users log in inside TLS alone, and tls = \"none\" keeps it off"), _("write tls = \"starttls\""));
  if (is_submission(l.profile) && !l.auth)
    return error("auth", tr("with auth = false nobody could send: profile = {} is for users who log in", profile),
                 _("remove auth, or write profile = \"local\" and list networks"));
}

void check_trust(Draft& draft, std::size_t i, intake::ListenerSettings& l) {
  // Port forwards, container proxies and NAT make the world appear as loopback (promise 6); a profile that is for
  // others than this machine's programs says that something of the kind is there.
  if (only_reachable_from_here(l) && l.profile == Profile::kLocal) return;
  if (draft.given("listener", i, "trust_loopback") && l.trust_loopback) {
    draft.error(
        draft.where("listener", i, "trust_loopback"),
        only_reachable_from_here(l)
            ? tr("listener {}: trust_loopback = true and profile = {}: others than this machine's programs come "
                 "there",
                 l.name, profile_text(l.profile))
            : tr("listener {}: trust_loopback = true on an address that is reachable from outside", l.name),
        _("remove it, and add a second [[listener]] on 127.0.0.1 for this machine's programs"));
  }
  l.trust_loopback = false;
}

void check_networks(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  if (is_submission(l.profile) && !l.networks.empty()) {
    draft.warn(draft.where("listener", i, "networks"),
               tr("listener {}: networks has no effect: everybody logs in where profile = {}", l.name,
                  profile_text(l.profile)),
               _("list them on a listener with profile = \"smtp\" or \"local\""));
    return;
  }
  for (const std::string& network : l.networks) {
    if (!is_private_network(network)) {
      draft.warn(draft.where("listener", i, "networks"),
                 tr("listener {}: {} is a public network: everyone there may send mail through you", l.name, network),
                 _("list single addresses that are yours"));
    } else if (is_loopback_address(network) && !(only_reachable_from_here(l) && l.profile == Profile::kLocal)) {
      draft.warn(draft.where("listener", i, "networks"),
                 tr("listener {}: {} is listed on an address that is reachable from outside: behind a port forward or "
                    "a container's proxy the whole world has it",
                    l.name, network));
    }
  }
}

// Who is listed there is believed in all it says, so a whole network of the world must not be.
void check_fronts(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  for (auto [key, networks] : {std::pair{"proxy", &l.proxy}, std::pair{"xclient", &l.xclient}}) {
    for (const std::string& network : *networks) {
      const bool single =
          network.ends_with("/32") || network.ends_with("/128") || network.find('/') == std::string::npos;
      if (is_private_network(network) || single) continue;
      draft.warn(draft.where("listener", i, key),
                 tr("listener {}: {} is a public network, and everyone there may pass for any client", l.name, network),
                 _("list single addresses that are yours"));
    }
  }
}

void check_limits(Draft& draft, std::size_t i, const intake::ListenerSettings& l) {
  const smtp::ServerSettings& s = l.smtp;
  auto order = [&](std::string_view small, std::uint64_t a, std::string_view large, std::uint64_t b) {
    if (a > b)
      draft.error(draft.where("listener", i, draft.given("listener", i, small) ? small : large),
                  tr("listener {}: {} ({}) is larger than {} ({})", l.name, small, a, large, b));
  };
  order("max_command", s.max_command, "refuse_command", s.refuse_command);
  order("refuse_command", s.refuse_command, "fatal_command", s.fatal_command);
  order("max_text_line", s.max_text_line, "max_long_line", s.max_long_line);
}

void check_twice(Draft& draft) {
  const auto& all = draft.loaded.settings.listeners;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool place = all[i].address == all[j].address &&
                         (all[i].port == all[j].port || all[i].address.starts_with('/')) && all[i].port != 0;
      // The system lets nobody have one address of IPv4 where another has them all. ([::] is of IPv6 alone.)
      const bool wild = all[i].address == "0.0.0.0" || all[j].address == "0.0.0.0";
      const bool both4 = all[i].address.find_first_of(":/") == std::string::npos &&
                         all[j].address.find_first_of(":/") == std::string::npos;
      if (!place && wild && both4 && all[i].port == all[j].port && all[i].port != 0)
        draft.error(draft.where("listener", i, "address"),
                    tr("{} and {} cannot both be listened on: the one holds the other, at {}", listener_name(all[i]),
                       listener_name(all[j]), draft.where("listener", j, "address").text()),
                    _("remove one of them, or list each address of this machine"));
      else if (place)
        draft.error(draft.where("listener", i, "address"),
                    tr("{} is listened on twice, the first time at {}", listener_name(all[i]),
                       draft.where("listener", j, "address").text()),
                    _("remove one of them"));
      else if (iequals(all[i].name, all[j].name))
        draft.error(draft.where("listener", i, "name"),
                    tr("listener {} is there twice, the first time at {}", quoted(all[i].name),
                       draft.where("listener", j, "name").text()),
                    _("give each a name of its own"));
    }
  }
}

}  // namespace

void resolve_listeners(Draft& draft) {
  auto& listeners = draft.loaded.settings.listeners;
  if (listeners.empty()) default_listeners(draft);
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    intake::ListenerSettings& l = listeners[i];
    resolve_profile(draft, i, l);
    if (l.name.empty()) l.name = listener_name(l);
    if (l.smtp.hostname.empty()) l.smtp.hostname = draft.loaded.settings.hostname;
    check_profile(draft, i, l);
    check_trust(draft, i, l);
    check_networks(draft, i, l);
    check_fronts(draft, i, l);
    if (istarts_with(l.address, "::ffff:"))
      draft.error(draft.where("listener", i, "address"),
                  tr("listener {}: {} is an IPv4 address in IPv6's form, on which nothing listens", l.name, l.address),
                  tr("write address = \"{}\"", l.address.substr(7)));
    check_limits(draft, i, l);
  }
  check_twice(draft);
}

std::vector<intake::ListenerSettings> Settings::all_listeners() const {
  std::vector<intake::ListenerSettings> all = listeners;
  if (submit.socket.empty()) return all;
  intake::ListenerSettings socket;
  socket.name = "submit";
  socket.address = submit.socket;
  socket.submit = true;
  socket.smtp.hostname = hostname;
  socket.milters = submit_milters;
  // What some listener takes, a program of this machine may send too.
  for (const intake::ListenerSettings& one : listeners) {
    const auto unlimited = [](std::uint64_t size) { return size == 0 ? ~std::uint64_t{0} : size; };
    if (unlimited(one.smtp.max_message_size) > unlimited(socket.smtp.max_message_size))
      socket.smtp.max_message_size = one.smtp.max_message_size;
    socket.smtp.max_recipients = std::max(socket.smtp.max_recipients, one.smtp.max_recipients);
  }
  all.push_back(std::move(socket));
  return all;
}

}  // namespace sidegate::config
