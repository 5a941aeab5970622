#include "deliver/direct_opening.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/public_address.h"
#include "net/networks.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostHosts = 5, kMostOfFamily = 2;

constexpr std::string_view kMayBeClosed =
    "No mail server has answered on port 25 since the start: it may be closed on this line, as in most home and cloud "
    "networks. It is tried again; a relay would carry the mail.";

bool is_six(const std::string& address) {
  return address.find(':') != std::string::npos;
}

std::string without_port(const std::string& place) {
  std::string host = place.substr(0, place.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

// A refusal in so many words says more than a host that did not answer, and that more than a name without address.
int weight(const OpenTrouble& trouble) {
  return trouble.trouble.reply ? 2 : trouble.trouble.phase == Phase::kResolve ? 0 : 1;
}

OpenTrouble loop_found(const std::string& domain) {
  return destination_trouble(Action::kFail, "mail-loop", {5, 4, 6},
                             "The MX records of the recipient's domain lead back to this machine, and the domain is "
                             "none of ours: list it in local_domains, or as a [[relay_domain]], or correct its MX.",
                             "mail for " + domain + " loops back to myself");
}

}  // namespace

OpenTrouble destination_trouble(Action action, std::string_view meaning, mail::EnhancedCode status,
                                std::string_view explanation, std::string reason, Duration hold) {
  OpenTrouble told;
  told.trouble.phase = Phase::kResolve;
  told.trouble.error = Error{ErrorKind::kNotFound, reason};
  told.verdict.scope = action == Action::kFail ? Scope::kRecipient : Scope::kWay;
  told.verdict.action = action;
  told.verdict.otherwise = action;
  told.verdict.meaning = meaning;
  told.verdict.status = status;
  told.verdict.explanation = explanation;
  told.verdict.hold = hold;
  told.reason = std::move(reason);
  return told;
}

bool drop_own(std::vector<dns::Exchanger>& list, const std::string& own_name) {
  auto own = std::ranges::find_if(list, [&](const dns::Exchanger& one) { return iequals(one.host, own_name); });
  if (own == list.end()) return false;
  const unsigned ours = own->preference;
  std::erase_if(list, [&](const dns::Exchanger& one) { return one.preference >= ours; });
  return true;
}

std::string DirectOpening::our_name() const {
  return settings_.direct.hello.empty() ? settings_.hostname : settings_.direct.hello;
}

bool DirectOpening::allowed(const std::string& address) const {
  const DirectSettings& direct = settings_.direct;
  if (direct.private_addresses || is_public(address)) return true;
  const auto octets = net::parse_address(address);
  return octets && std::ranges::any_of(direct.private_networks, [&](const std::string& text) {
           auto network = net::Network::parse(text);
           return network && network->contains(*octets);
         });
}

net::Awaitable<DirectOpening::Places> DirectOpening::places_of(std::string host) {
  Places places;
  auto found = co_await resolver_.addresses(loop_, host);
  if (!found) {
    places.kind = found.error().kind;
    places.why = found.error().text;
    co_return places;
  }
  const auto& families = settings_.direct.address_families;
  std::size_t of_six = 0, of_four = 0;
  for (std::string& address : found->list) {
    const bool six = is_six(address);
    if (std::ranges::find(families, six ? "ipv6" : "ipv4") == families.end()) {
      places.why = fmt::format("{} has no address of the families in use", host);
      continue;
    }
    // Before the look at private space: "127.0.0.1" is ourselves.
    if (!settings_.direct.private_addresses && net::is_own_address(address)) {
      places.ours = true;
      continue;
    }
    if (!allowed(address)) {
      places.kept_out = true;
      places.why = fmt::format("{} has the address {}, which is not one of the internet", host, address);
      continue;
    }
    if ((six ? of_six : of_four)++ < kMostOfFamily) places.list.push_back(std::move(address));
  }
  if (places.list.empty() && places.why.empty()) places.why = host + " has no address";
  co_return places;
}

net::Awaitable<Opened> DirectOpening::run() {
  const std::string domain = way_.domain;
  auto exchangers = co_await resolver_.exchangers(loop_, domain, random_);
  if (!exchangers) {
    if (exchangers.error().kind != ErrorKind::kNotFound) {
      co_return std::unexpected(
          destination_trouble(Action::kHoldWay, "dns-trouble", {4, 4, 3},
                              "The name servers could not say where mail for this domain goes. It is tried again.",
                              exchangers.error().text));
    }
    // RFC 3463 section 3.2: bad destination system address.
    co_return std::unexpected(destination_trouble(
        Action::kFail, "domain-not-found", {5, 1, 2},
        "There is no such domain, or nothing in it takes mail. Check the part after the @.", exchangers.error().text));
  }
  if (exchangers->null_mx) {  // RFC 7505 section 3
    co_return std::unexpected(destination_trouble(Action::kFail, "null-mx", {5, 1, 10},
                                                  "The recipient's domain says that it takes no mail at all.",
                                                  domain + " takes no mail (null MX)"));
  }
  std::vector<dns::Exchanger>& list = exchangers->list;
  const bool any = !list.empty();
  bool ours = drop_own(list, settings_.hostname);
  if (drop_own(list, our_name())) ours = true;
  if (ours && list.empty()) co_return std::unexpected(loop_found(domain));
  std::optional<OpenTrouble> told;
  bool kept_out = false, temporary = false;
  std::string why = any ? "" : "the MX records of " + domain + " name no host";
  std::size_t tried = 0;
  for (std::size_t i = 0; i < list.size() && tried < kMostHosts && !cancelled_; ++i) {
    const std::string host = list[i].host;
    Places places = co_await places_of(host);
    if (places.ours) {  // this one and what is no better
      ours = true;
      const unsigned preference = list[i].preference;
      std::erase_if(list, [&](const dns::Exchanger& one) { return one.preference >= preference; });
      break;
    }
    if (places.list.empty()) {
      kept_out |= places.kept_out;
      temporary |= !places.kept_out && places.kind != ErrorKind::kNotFound;
      why = places.why;
      continue;
    }
    ++tried;
    Opened opened = co_await try_host(host, std::move(places.list));
    if (opened) co_return opened;
    if (!told || weight(opened.error()) > weight(*told)) told = std::move(opened.error());
  }
  if (told) co_return std::unexpected(std::move(*told));
  if (ours && !kept_out) co_return std::unexpected(loop_found(domain));
  if (kept_out && !temporary) {
    co_return std::unexpected(destination_trouble(
        Action::kHoldWay, "mx-not-public", {4, 4, 4},
        "The MX of the recipient's domain leads into a private network, where no stranger's record may lead. If it is "
        "yours, list the network in private_networks of [direct].",
        why, 30min));
  }
  co_return std::unexpected(destination_trouble(Action::kHoldWay, temporary ? "dns-trouble" : "mx-unusable", {4, 4, 4},
                                                "No mail server of the recipient's domain has an address that can be "
                                                "used. It is tried again.",
                                                why, temporary ? Duration(0) : Duration(10min)));
}

net::Awaitable<Opened> DirectOpening::try_host(std::string host, std::vector<std::string> addresses) {
  const TlsPolicy policy = policy_of(settings_.direct);
  const int good = way_.direct->good_family.get(loop_.clock().steady());
  if (good != 0 && way_.good_family.load() == 0) way_.good_family.store(good);
  for (TlsMode mode = policy.mode();;) {
    Candidate candidate{host, way_.settings.port, mode, host};
    candidate.addresses = addresses;
    now_ = std::make_unique<RelayOpening>(loop_, resolver_, way_, settings_, std::vector<Candidate>{candidate});
    Opened opened = co_await now_->run();
    now_.reset();
    if (opened) {
      way_.direct->good_family.set(is_six(without_port((*opened)->address)) ? 6 : 4, loop_.clock().steady());
      auto doubt = co_await look_at(**opened, host);
      if (!doubt) co_return opened;
      co_await (*opened)->quit();
      (*opened)->close();
      co_return std::unexpected(std::move(*doubt));
    }
    OpenTrouble& trouble = opened.error();
    trouble.reason = fmt::format("{}[{}] {}", host, trouble.address, trouble.reason);
    const Phase phase = trouble.trouble.phase;
    // RFC 3207 section 4.1, RFC 7435: what is only nice to have is done without, at once.
    if (mode == TlsMode::kOpportunistic && (phase == Phase::kStartTls || phase == Phase::kTls) && !cancelled_) {
      mode = TlsMode::kNone;
      continue;
    }
    if (phase == Phase::kConnect) {
      note_silent(host, trouble);
      if (!way_.direct->port25.ever_open()) trouble.verdict.explanation = kMayBeClosed;
    }
    // RFC 5321 section 3.1: 554 as greeting; 5yz to EHLO and HELO. It is us who are refused, not the message.
    if (trouble.trouble.reply && trouble.trouble.reply->permanent()) {
      trouble.verdict.hold = settings_.relays.empty() ? kRefusedAlone : kRefusedFor;
      trouble.verdict.scope = Scope::kWay;
    }
    co_return opened;
  }
}

void DirectOpening::note_silent(const std::string& host, const OpenTrouble& trouble) {
  const std::string address = without_port(trouble.address);
  findings.silent.push_back(address);
  findings.steps.push_back(
      way_.direct->port25.failed(loop_.clock().steady(), {host, address}, trouble.trouble.error.kind));
}

// Whether a name is at home where we were answered.
net::Awaitable<bool> DirectOpening::leads_to(std::string name, std::string address) {
  auto found = co_await resolver_.addresses(loop_, name);
  if (!found) co_return false;
  const std::string network = narrow_network(address);
  co_return std::ranges::any_of(
      found->list, [&](const std::string& one) { return one == address || narrow_network(one) == network; });
}

// Is it who we meant? The name of its EHLO answer, and what it offers, against what is known of this line.
net::Awaitable<std::optional<OpenTrouble>> DirectOpening::look_at(const RelayConnection& made,
                                                                  const std::string& host) {
  const std::string greeter = made.session->capabilities().host;
  if (iequals(greeter, settings_.hostname) || iequals(greeter, our_name())) co_return loop_found(way_.domain);
  const std::string address = without_port(made.address);
  const bool starttls = made.tls || made.session->capabilities().starttls;
  bool own = name_belongs(greeter, host, way_.domain) || net::parse_address(host).has_value();
  if (!own && greeter.find('.') != std::string::npos) own = co_await leads_to(greeter, address);
  const auto step = way_.direct->port25.answered(loop_.clock().steady(), {host, address}, greeter, own, starttls);
  findings.steps.push_back(step);
  const bool doubtful =
      step.kind == Port25::Step::kSuspect || step.kind == Port25::Step::kImpostor || step.kind == Port25::Step::kStill;
  if (!doubtful || settings_.direct.through_interceptor) co_return std::nullopt;
  OpenTrouble told = destination_trouble(
      Action::kHoldWay, "intercepted", {4, 7, 0},
      "The server that answered may be another one than was called: some networks answer port 25 themselves. Nothing "
      "was "
      "sent to it.",
      fmt::format("{} answered as {}{}", host, printable(greeter, 200), starttls ? "" : " and offers no STARTTLS"));
  told.trouble.phase = Phase::kEhlo;
  told.address = made.address;
  co_return told;
}

}  // namespace sidegate::deliver
