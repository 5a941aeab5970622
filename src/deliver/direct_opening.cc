#include "deliver/direct_opening.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "deliver/dane.h"
#include "deliver/public_address.h"
#include "mail/idna.h"
#include "mail/mailbox.h"
#include "net/local_address.h"
#include "net/networks.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostHosts = 5, kMostOfFamily = 2;

constexpr std::string_view kMayBeClosed =
    "No mail server has answered on port 25 since the start: it may be closed on this line, as in most home and cloud "
    "networks. It is tried again; a relay would carry the mail.";

constexpr std::string_view kNotThroughProxy =
    "The mail server was not reached through the proxy of [direct]. Check that the proxy runs, takes us and lets port "
    "25 "
    "out. It is tried again.";

bool is_six(const std::string& address) {
  return address.find(':') != std::string::npos;
}

// A refusal in so many words says more than a host that did not answer, and that more than a name without address.
int weight(const OpenTrouble& trouble) {
  return trouble.trouble.reply ? 2 : trouble.trouble.phase == Phase::kResolve ? 0 : 1;
}

// What is about the message alone (REQUIRETLS).
bool ends_message(const OpenTrouble& trouble) {
  return trouble.verdict.action == Action::kNextWay && trouble.verdict.scope == Scope::kMessage;
}

// What passes says more than what ends a message: another day that host may take it.
bool outweighs(const OpenTrouble& one, const OpenTrouble& other) {
  if (ends_message(one) != ends_message(other)) return ends_message(other);
  return weight(one) > weight(other);
}

OpenTrouble loop_found(const std::string& domain) {
  return destination_trouble(Action::kFail, "mail-loop", {5, 4, 6},
                             "The MX records of the recipient's domain lead back to this machine, and the domain is "
                             "none of ours: list it in local_domains, or as a [[relay_domain]], or correct its MX.",
                             "mail for " + domain + " loops back to myself");
}

OpenTrouble dns_trouble(std::string why) {
  return destination_trouble(Action::kHoldWay, "dns-trouble", {4, 4, 3},
                             "The name servers could not say where mail for this domain goes. It is tried again.",
                             std::move(why));
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

std::size_t put_last(std::vector<dns::Exchanger>& list, const PassedOver& passed_over, SteadyTime now) {
  std::vector<dns::Exchanger> last;
  for (const dns::Exchanger& one : list) {
    if (passed_over.has(one.host, now)) last.push_back(one);
  }
  std::erase_if(list, [&](const dns::Exchanger& one) { return std::ranges::find(last, one) != last.end(); });
  const std::size_t in_turn = list.size();
  list.insert(list.end(), last.begin(), last.end());
  return in_turn;
}

std::string without_port(const std::string& place) {
  std::string host = place.substr(0, place.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

std::string DirectOpening::our_name() const {
  return settings_.direct.hello.empty() ? settings_.hostname : settings_.direct.hello;
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
    if (!leads_to_internet(settings_.direct, address)) {
      places.kept_out = true;
      places.why = fmt::format("{} has the address {}, which is not one of the internet", host, address);
      continue;
    }
    if ((six ? of_six : of_four)++ < kMostOfFamily) places.list.push_back(std::move(address));
  }
  if (places.list.empty() && places.why.empty()) places.why = host + " has no address";
  co_return places;
}

// All of one preference before any of them is tried: one may be ourselves by its address. RFC 5321 section 5.1.
net::Awaitable<std::vector<DirectOpening::Places>> DirectOpening::places_of_equals(
    const std::vector<dns::Exchanger>& list, std::size_t from) {
  std::vector<Places> all;
  for (std::size_t i = from; i < list.size() && list[i].preference == list[from].preference; ++i) {
    if (all.size() == kMostHosts) break;
    std::string host = list[i].host;
    all.push_back(co_await places_of(std::move(host)));
  }
  co_return all;
}

net::Awaitable<DirectOpening::Survey> DirectOpening::survey() {
  configure_policy();
  auto exchangers = co_await find_exchangers();
  co_await find_published();
  Survey seen{.policy = policy_, .published = published_, .mx_proven = mx_proven_, .mx_unproven = mx_unproven_};
  if (!exchangers) {
    seen.trouble = exchangers.error().reason;
    co_return seen;
  }
  if (exchangers->null_mx) seen.trouble = way_.domain + " takes no mail (null MX)";
  for (const dns::Exchanger& one : exchangers->list) {
    if (seen.hosts.size() >= kMostHosts) break;
    std::string host = one.host;
    HostPolicy policy = co_await policy_of(std::move(host));
    seen.hosts.emplace_back(one, std::move(policy));
  }
  co_return seen;
}

net::Awaitable<Opened> DirectOpening::run() {
  const std::string domain = way_.domain;
  configure_policy();
  auto exchangers = co_await find_exchangers();
  if (!exchangers) co_return std::unexpected(std::move(exchangers.error()));
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
  co_await find_published();
  std::optional<OpenTrouble> told;
  const SteadyTime now = loop_.clock().steady();
  const std::size_t in_turn = put_last(list, way_.passed_over, now);
  bool kept_out = false, temporary = false;
  std::optional<unsigned> own_preference;
  auto no_better = [&](const dns::Exchanger& one) { return own_preference && one.preference >= *own_preference; };
  std::string why = any ? "" : "the MX records of " + domain + " name no host";
  std::size_t tried = 0;
  std::vector<Places> alike;  // of the hosts with the preference of the one in turn
  for (std::size_t i = 0, first = 0; i < list.size() && tried < kMostHosts && !cancelled_; ++i) {
    if (i == 0 || list[i].preference != list[first].preference) {
      first = i;
      alike = co_await places_of_equals(list, i);
      // Those and what is no better, in whatever order they stand.
      if (std::ranges::any_of(alike, &Places::ours) && !no_better(list[i])) own_preference = list[i].preference;
    }
    if (no_better(list[i]) || i - first >= alike.size()) continue;
    const std::string host = list[i].host;
    Places& places = alike[i - first];
    if (places.list.empty()) {
      kept_out |= places.kept_out;
      temporary |= !places.kept_out && places.kind != ErrorKind::kNotFound;
      why = places.why;
      continue;
    }
    ++tried;
    Opened opened = co_await try_host(host, std::move(places.list));
    if (opened) {
      (*opened)->others = std::ranges::any_of(std::span(list).first(in_turn), [&](const dns::Exchanger& one) {
        return one.host != host && !no_better(one);
      });
      co_return opened;
    }
    if (!told || outweighs(opened.error(), *told)) told = std::move(opened.error());
  }
  if (told && !(ends_message(*told) && temporary)) co_return std::unexpected(std::move(*told));
  ours |= own_preference.has_value();
  if (ours && !kept_out && !temporary) co_return std::unexpected(loop_found(domain));
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

// --- exchangers

bool DirectOpening::wants_proof() const {
  return policy_.level == TlsLevel::kDane || policy_.level == TlsLevel::kDaneOnly || requires_tls();
}

net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> DirectOpening::plain_exchangers() {
  auto found = co_await resolver_.exchangers(loop_, way_.domain, random_);
  if (found) co_return std::move(*found);
  if (found.error().kind != ErrorKind::kNotFound) co_return std::unexpected(dns_trouble(found.error().text));
  // RFC 3463 section 3.2: bad destination system address.
  co_return std::unexpected(destination_trouble(
      Action::kFail, "domain-not-found", {5, 1, 2},
      "There is no such domain, or nothing in it takes mail. Check the part after the @.", found.error().text));
}

net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> DirectOpening::find_exchangers() {
  mx_name_ = domain_;
  if (!wants_proof()) co_return co_await plain_exchangers();
  if (!mail::is_domain(domain_, false)) {
    mx_unproven_ = way_.domain + " is no domain, so nobody signs it";
    co_return co_await plain_exchangers();
  }
  switch (co_await resolver_.can_validate(loop_)) {
    case dns::Validates::kYes:
      co_return co_await proven_exchangers();
    case dns::Validates::kNotNow:
      co_return std::unexpected(dns_trouble("DNSSEC cannot be validated at this moment, as it could be a while ago"));
    case dns::Validates::kNo:
      break;
  }
  mx_unproven_ = "DNSSEC cannot be validated on this line (`sidegate doctor` says why)";
  co_return co_await plain_exchangers();
}

net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> DirectOpening::proven_exchangers() {
  constexpr Duration kPatience = 20s;
  std::string domain = domain_;
  dns::Answer answer = co_await resolver_.validated(loop_, std::move(domain), dns::RecordType::kMx, kPatience);
  if (!answer.definite()) {
    std::string why =
        fmt::format("DNSSEC: the MX records of {} cannot be proven: {}", way_.domain, printable(answer.why, 300));
    tell({}, {.why = policy_source::kDane}, {}, "dnssec-invalid", why);
    co_return std::unexpected(dns_trouble(std::move(why)));
  }
  mx_proven_ = answer.secure;
  if (!answer.canonical.empty()) mx_name_ = answer.canonical;
  if (!mx_proven_) mx_unproven_ = fmt::format("the MX records of {} are not signed", way_.domain);
  if (answer.verdict == dns::Verdict::kFound) co_return dns::read_exchangers(answer.list, random_);
  auto plain = co_await plain_exchangers();
  // Proven to have none: then the domain itself it is, whatever somebody else says.
  if (plain && mx_proven_) co_return dns::Exchangers{.list = {{0, domain_}}, .implicit = true};
  co_return plain;
}

namespace {

// What the handshake with such a host must come to; null: nothing is looked at. kTls: that cannot be had here.
Result<std::shared_ptr<const tls::ClientContext>> context_for(const HostPolicy& policy, const DirectSettings& direct) {
  if (!policy.authenticated()) return nullptr;
  auto made = tls::ClientContext::make({.name = policy.sni,
                                        .ca_file = direct.tls_ca_file,
                                        .ca_pem = direct.tls_ca_pem,
                                        .own = direct.certificate,
                                        .names = policy.names,
                                        .tlsa = policy.records});
  if (!made) return std::unexpected(made.error());
  return *made;
}

TlsMode mode_of(const HostPolicy& policy) {
  if (policy.level == TlsLevel::kNone) return TlsMode::kNone;
  return policy.required() ? TlsMode::kStartTls : TlsMode::kOpportunistic;
}

std::string policy_words(const HostPolicy& policy) {
  return fmt::format("TLS policy {} of {}", name(policy.level), policy.where.empty() ? policy.why : policy.where);
}

OpenTrouble policy_unmet(const HostPolicy& policy, Phase phase, std::string reason) {
  const auto detail = static_cast<std::uint16_t>(phase == Phase::kStartTls ? 10 : 5);  // not offered, or not right
  return destination_trouble(
      Action::kHoldWay, "tls-policy", {4, 7, detail},
      "The destination's mail servers do not meet the TLS policy, and nothing is sent without it. It is tried again.",
      fmt::format("{} ({})", reason, policy_words(policy)));
}

}  // namespace

// What a host that does not meet the demands comes to: passed over, and if all are so, mail waits; with REQUIRETLS it
// goes by another way or back.
OpenTrouble DirectOpening::refused(const HostPolicy& policy, Phase phase, std::string reason) const {
  OpenTrouble told = policy_unmet(policy, phase, std::move(reason));
  told.trouble.phase = phase;
  if (requires_tls() && !policy.temporary) told.verdict = verdict_requiretls_lacking(phase == Phase::kMail);
  return told;
}

net::Awaitable<Opened> DirectOpening::try_host(std::string host, std::vector<std::string> addresses) {
  const HostPolicy policy = co_await policy_of(host);
  if (!policy.unmet.empty()) {
    tell(host, policy, {}, policy.result, policy.unmet);
    co_return std::unexpected(refused(policy, Phase::kResolve, policy.unmet));
  }
  auto context = context_for(policy, settings_.direct);
  if (!context) co_return std::unexpected(refused(policy, Phase::kTls, context.error().text));
  const int good = way_.direct->good_family.get(loop_.clock().steady());
  if (good != 0 && way_.good_family.load() == 0) way_.good_family.store(good);
  bool failed_tls = false;
  for (TlsMode mode = mode_of(policy);;) {
    Candidate candidate{host, way_.settings.port, mode, host};
    candidate.addresses = addresses;
    candidate.context = *context;
    now_ = std::make_unique<RelayOpening>(loop_, resolver_, way_, settings_, std::vector<Candidate>{candidate});
    Opened opened = co_await now_->run();
    now_.reset();
    if (opened) {
      way_.direct->good_family.set(is_six(without_port((*opened)->address)) ? 6 : 4, loop_.clock().steady());
      auto doubt = co_await look_at(**opened, host);
      if (!doubt && requires_tls() && !(*opened)->session->capabilities().requiretls)
        doubt =
            refused(policy, Phase::kMail, fmt::format("{}[{}] does not offer REQUIRETLS", host, (*opened)->address));
      if (!doubt) {
        const RelayConnection& made = **opened;
        if (made.tls)
          tell(host, policy, made.address, {}, {}, net::local_address(*made.stream), &made);
        else if (!failed_tls && mode != TlsMode::kNone)
          tell(host, policy, made.address, "starttls-not-supported", {}, net::local_address(*made.stream));
        co_return opened;
      }
      co_await (*opened)->quit();
      (*opened)->close();
      co_return std::unexpected(std::move(*doubt));
    }
    OpenTrouble& trouble = opened.error();
    trouble.reason = fmt::format("{}[{}] {}", host, trouble.address, trouble.reason);
    const Phase phase = trouble.trouble.phase;
    const bool of_tls = phase == Phase::kStartTls || phase == Phase::kTls;
    tell_failure(host, policy, trouble);
    // RFC 3207 section 4.1, RFC 7435: what is only nice to have is done without, at once.
    if (mode == TlsMode::kOpportunistic && of_tls && !cancelled_) {
      mode = TlsMode::kNone;
      failed_tls = true;
      continue;
    }
    // What is published to be there was not offered, by this host or by whoever answers in its place. A refusal, or a
    // connection that breaks, is none of that.
    const bool published = policy.why == policy_source::kDane || policy.why == policy_source::kMtaSts;
    const bool offered = trouble.trouble.reply || trouble.trouble.error.kind != ErrorKind::kTls;
    if (phase == Phase::kStartTls && published && !offered && !proxied()) {
      const MxHost who{host, without_port(trouble.address)};
      findings.steps.push_back(way_.direct->port25.promise_broken(loop_.clock().steady(), who));
    }
    if (of_tls && policy.required()) {
      OpenTrouble told = refused(policy, phase, trouble.reason);
      told.address = trouble.address;
      co_return std::unexpected(std::move(told));
    }
    // An address of ours that we do not have (kBadInput) says nothing about the host, nor about port 25.
    if (phase == Phase::kConnect && proxied()) {
      trouble.verdict.explanation = kNotThroughProxy;
    } else if (phase == Phase::kConnect && trouble.trouble.error.kind != ErrorKind::kBadInput) {
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
  if (proxied()) co_return std::nullopt;  // whoever answers there says nothing of this line
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
