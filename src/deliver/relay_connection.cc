#include "deliver/relay_connection.h"

#include <algorithm>

#include "base/text.h"
#include "deliver/find_candidates.h"
#include "deliver/socks5.h"
#include "net/local_address.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostAddresses = 8;  // tried in one opening
constexpr Duration kStepPatience = 10s;    // with one host and port, while there is another one
constexpr Duration kKnownHeadStart = 2s;   // of the address family that worked last

std::unexpected<smtp::Trouble> trouble(Phase phase, Error error) {
  return std::unexpected(smtp::Trouble{phase, std::nullopt, std::move(error)});
}

std::unexpected<smtp::Trouble> trouble(Phase phase, ErrorKind kind, std::string text) {
  return trouble(phase, Error{kind, std::move(text)});
}

int family_of(const std::string& address) {
  return address.find(':') == std::string::npos ? 4 : 6;
}

// Another host or port does not know a password that this one refuses: trying it there only counts as guessing.
bool ends_the_search(const smtp::Trouble& trouble) {
  return trouble.phase == Phase::kAuth && trouble.reply.has_value();
}

// Of several troubles the one that came furthest says most; the words of all are kept.
void keep_telling(std::optional<OpenTrouble>& kept, OpenTrouble now, const Candidate& at, bool several) {
  constexpr std::size_t kMostWords = 1500;
  if (several) now.reason = fmt::format("{}: {}", at.text(), now.reason);
  if (!kept) {
    kept = std::move(now);
    return;
  }
  std::string words = kept->reason + "; " + now.reason;
  if (words.size() > kMostWords) words = kept->reason;
  if (now.trouble.phase > kept->trouble.phase) kept = std::move(now);
  kept->reason = std::move(words);
}

// "verified:dane-ee TLSv1.3 TLS_AES_256_GCM_SHA384", "encrypted TLSv1.3 ...", "none".
std::string tls_words(const RelayConnection& made) {
  if (!made.tls) return "none";
  const tls::Verdict& verdict = made.stream->verdict();
  return fmt::format("{} {} {}", made.proven ? "verified:" + verdict.by : "encrypted", verdict.version, verdict.cipher);
}

}  // namespace

smtp::ClientTimeouts client_timeouts(const Timeouts& t) {
  smtp::ClientTimeouts c{};
  c.greeting = t.greeting;
  c.helo = t.helo;
  c.mail = t.mail;
  c.rcpt = t.rcpt;
  c.starttls = t.starttls;
  c.auth = t.auth;
  c.data_init = t.data_init;
  c.data_block = t.data_block;
  c.data_done = t.data_done;
  c.quit = t.quit;
  return c;
}

net::Awaitable<Opened> RelayOpening::run() {
  SteadyTime began = loop_.clock().steady();
  made_ = std::make_unique<RelayConnection>();
  const bool ours = candidates_.empty();
  if (ours) {
    Done found = co_await find();
    if (!found) co_return std::unexpected(explain(std::move(found.error())));
  }
  const Candidate top = candidates_.front();
  if (ours) candidates_ = way_.rungs.in_order(std::move(candidates_), began);
  std::optional<OpenTrouble> told;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    at_ = candidates_[i];
    last_ = i + 1 == candidates_.size();
    made_ = std::make_unique<RelayConnection>();
    made_->lmtp = way_.settings.protocol == Protocol::kLmtp;
    // A Unix socket is on this machine, so it goes by this machine's name.
    made_->host = at_.is_path() ? settings_.hostname : at_.host;
    Done step = co_await open();
    if (step) {
      made_->proven = made_->tls && made_->stream->verdict().verified;
      if (!made_->lmtp || made_->tls) made_->how = tls_words(*made_);
      if (ours) worked(top, told);
      made_->took = std::chrono::duration_cast<Duration>(loop_.clock().steady() - began);
      co_return std::move(made_);
    }
    const bool ends = ends_the_search(step.error());
    keep_telling(told, explain(std::move(step.error())), at_, candidates_.size() > 1);
    if (made_->stream) made_->stream->close();
    if (ends || cancelled_) break;
  }
  co_return std::unexpected(std::move(*told));
}

// What was learnt: one line when it is another host or port than before.
void RelayOpening::worked(const Candidate& top, const std::optional<OpenTrouble>& told) {
  if (candidates_.size() < 2 || !way_.rungs.worked(at_, top, loop_.clock().steady())) return;
  loop_.log().info("relay_place", {{"relay", way_.settings.name},
                                   {"at", at_.text()},
                                   {"first", top.text()},
                                   {"reason", told ? told->reason : std::string()}});
}

net::Awaitable<RelayOpening::Done> RelayOpening::find() {
  if (!way_.settings.places.mx && !way_.settings.places.srv) {
    candidates_ = candidates_of(way_.settings);
    co_return Done{};
  }
  RelaySettings settings = way_.settings;
  auto lot = static_cast<std::uint32_t>(loop_.clock().steady().time_since_epoch().count());
  auto found = co_await find_candidates(loop_, resolver_, std::move(settings), lot);
  if (found) {
    way_.set_found(*found);
    candidates_ = std::move(*found);
    co_return Done{};
  }
  // What the DNS said when it still spoke.
  if (found.error().kind != ErrorKind::kNotFound) candidates_ = way_.found();
  if (candidates_.empty()) co_return trouble(Phase::kResolve, found.error());
  co_return Done{};
}

net::Awaitable<RelayOpening::Done> RelayOpening::open() {
  Done step = co_await reach();
  if (step && at_.tls != TlsMode::kImplicit) step = co_await hello();
  if (step && wants_starttls()) step = co_await secure();
  if (step && made_->tls) step = co_await hello();  // RFC 3207 section 4.2: EHLO again
  if (step) step = co_await log_in();
  co_return step;
}

// The family that worked last goes first; the order is otherwise the resolver's (RFC 8305).
std::vector<std::string> RelayOpening::in_order(std::vector<std::string> addresses) const {
  int good = way_.good_family.load(std::memory_order_relaxed);
  if (good) {
    std::vector<std::string> sorted;
    for (bool wanted : {true, false}) {
      for (std::string& a : addresses) {
        if ((family_of(a) == good) == wanted) sorted.push_back(a);
      }
    }
    addresses = std::move(sorted);
  }
  if (addresses.size() > kMostAddresses) addresses.resize(kMostAddresses);
  return addresses;
}

RaceRules RelayOpening::race_rules() const {
  RaceRules rules;
  rules.timeout = way_.settings.timeouts.connect;
  // Where another host or port may do, this one is given less: most that answer at all do so within a second.
  if (!last_) rules.timeout = std::min(rules.timeout, kStepPatience);
  if (way_.good_family.load(std::memory_order_relaxed)) rules.head_start = kKnownHeadStart;
  for (const std::string& source : way_.settings.source_addresses)
    (is_ipv6(source) ? rules.source6 : rules.source4) = source;
  return rules;
}

net::Awaitable<RelayOpening::Done> RelayOpening::reach() {
  context_ = at_.tls == TlsMode::kNone ? nullptr : at_.context ? at_.context : way_.tls_for(at_.tls_name);
  if (at_.tls != TlsMode::kNone && !context_) co_return trouble(Phase::kTls, ErrorKind::kTls, way_.tls_error);
  if (at_.is_path()) {
    std::vector<net::Endpoint> path;
    path.push_back({at_.host, 0});
    co_return co_await reach_any(std::move(path));
  }
  if (!way_.settings.proxy.host.empty()) co_return co_await through_proxy();
  Result<dns::Addresses> found = dns::Addresses{at_.addresses, false};
  if (at_.addresses.empty()) found = co_await resolver_.addresses(loop_, at_.host);
  if (!found) co_return trouble(Phase::kResolve, found.error());
  if (found->list.empty()) co_return trouble(Phase::kResolve, ErrorKind::kNotFound, at_.host + " has no address");
  std::vector<net::Endpoint> places;
  for (std::string& address : in_order(std::move(found->list))) places.push_back({std::move(address), at_.port});
  co_return co_await reach_any(std::move(places));
}

// Until one of them greets us.
net::Awaitable<RelayOpening::Done> RelayOpening::reach_any(std::vector<net::Endpoint> places) {
  std::optional<smtp::Trouble> last, unreachable;
  while (!places.empty()) {
    std::vector<net::Endpoint> these = places;
    RaceRules rules = race_rules();
    made_->address = places.front().text();
    Raced raced = co_await connect_first(loop_, std::move(these), std::move(rules));
    for (auto& [place, error] : raced.failed) {
      std::erase(places, place);
      // A family that this network does not have is no attempt and no error, as long as there is another one.
      auto& kept = error.kind == ErrorKind::kUnreachable ? unreachable : last;
      kept = smtp::Trouble{Phase::kConnect, std::nullopt, error};
    }
    if (!raced.stream) break;
    std::erase(places, raced.to);
    made_->address = raced.to.text();
    loop_.log().info(
        "connected",
        {{"relay", way_.settings.name}, {"host", at_.host}, {"address", raced.to.address}, {"port", raced.to.port}});
    Done one = co_await begin(std::move(raced.stream));
    if (one) {
      if (!at_.is_path()) way_.good_family.store(family_of(raced.to.address), std::memory_order_relaxed);
      co_return Done{};
    }
    last = std::move(one.error());
  }
  co_return std::unexpected(std::move(last ? *last : *unreachable));
}

// A relay's name is the proxy's to look up. Of a mail server's addresses one after the other is asked for: we have
// looked them up ourselves, and at where they lead.
net::Awaitable<RelayOpening::Done> RelayOpening::through_proxy() {
  std::vector<std::string> hosts = in_order(at_.addresses);
  if (hosts.empty()) hosts.push_back(at_.host);
  std::optional<Done> last;
  for (const std::string& host : hosts) {
    Done step = co_await through_proxy_to(host);
    if (step) co_return step;
    // It does not let us in: so it is with the next one.
    const bool ends = step.error().error.kind == ErrorKind::kAuth;
    last = std::move(step);
    if (ends || cancelled_) break;
  }
  co_return std::move(*last);
}

// The proxy is reached as a relay would be.
net::Awaitable<RelayOpening::Done> RelayOpening::through_proxy_to(std::string host) {
  Proxy proxy = way_.settings.proxy;
  const net::Endpoint to{host, at_.port};
  made_->address = at_.addresses.empty() ? at_.text() : to.text();
  auto found = co_await resolver_.addresses(loop_, proxy.host);
  if (!found) co_return trouble(Phase::kConnect, ErrorKind::kUnreachable, "SOCKS5 proxy: " + found.error().text);
  std::vector<net::Endpoint> places;
  for (std::string& address : found->list) places.push_back({std::move(address), proxy.port});
  RaceRules rules = race_rules();
  const Duration limit = rules.timeout;
  Raced raced = co_await connect_first(loop_, std::move(places), std::move(rules));
  if (!raced.stream) {
    Error why = raced.failed.empty() ? Error{ErrorKind::kUnreachable, "no address"} : raced.failed.back().second;
    why.text = "SOCKS5 proxy: " + why.text;
    co_return trouble(Phase::kConnect, std::move(why));
  }
  made_->stream = std::move(raced.stream);
  Status through = co_await socks5_connect(*made_->stream, std::move(proxy), std::move(host), at_.port, limit);
  if (!through) {
    Error why = through.error();
    if (!why.text.starts_with("SOCKS5")) why.text = "SOCKS5 proxy: " + why.text;
    co_return trouble(Phase::kConnect, std::move(why));
  }
  loop_.log().info("connected", {{"relay", way_.settings.name},
                                 {"host", at_.host},
                                 {"address", to.address},
                                 {"port", at_.port},
                                 {"proxy", raced.to.text()}});
  std::unique_ptr<net::Stream> stream = std::move(made_->stream);
  co_return co_await begin(std::move(stream));
}

net::Awaitable<RelayOpening::Done> RelayOpening::begin(std::unique_ptr<net::Stream> stream) {
  made_->stream = std::move(stream);
  const bool direct = way_.settings.protocol == Protocol::kDirect;
  const std::string& hello = direct && !settings_.direct.hello.empty() ? settings_.direct.hello : settings_.hostname;
  made_->session =
      std::make_unique<smtp::ClientSession>(*made_->stream, hello, client_timeouts(way_.settings.timeouts));
  if (made_->lmtp) made_->session->speak_lmtp();
  if (at_.tls == TlsMode::kImplicit) {  // RFC 8314 section 3.3
    Done tls = co_await secure();
    if (!tls) co_return tls;
  }
  auto greeting = co_await made_->session->greet();
  if (!greeting) co_return std::unexpected(std::move(greeting.error()));
  co_return Done{};
}

net::Awaitable<RelayOpening::Done> RelayOpening::hello() {
  auto said = co_await made_->session->ehlo();
  if (!said) co_return std::unexpected(std::move(said.error()));
  co_return Done{};
}

// Why a server that speaks HELO alone lacks what is asked of it: its own words.
std::string RelayOpening::refused_ehlo() const {
  const std::string& refusal = made_->session->capabilities().refusal;
  return refusal.empty() ? "" : fmt::format("; it refused EHLO: {}", printable(refusal, 300));
}

net::Awaitable<RelayOpening::Done> RelayOpening::secure() {
  if (at_.tls == TlsMode::kImplicit) {
    made_->stream->expires_after(way_.settings.timeouts.starttls);
    auto shaken = co_await made_->stream->start_tls_client(context_);
    if (!shaken) co_return trouble(Phase::kTls, shaken.error());
  } else {
    Done asked = co_await starttls();
    if (!asked) co_return asked;
  }
  made_->tls = true;
  log_tls();
  co_return judge_peer();
}

net::Awaitable<RelayOpening::Done> RelayOpening::starttls() {
  if (!made_->session->capabilities().starttls) {
    if (way_.settings.protocol == Protocol::kDirect)
      co_return trouble(Phase::kStartTls, ErrorKind::kTls, at_.host + " offers no STARTTLS, so nothing was sent");
    const bool tried = std::ranges::any_of(candidates_, [](const Candidate& c) { return c.port == 465; });
    const bool proxied = !way_.settings.proxy.host.empty();  // no other port is tried past it
    if (tried || proxied) {
      co_return trouble(Phase::kStartTls, ErrorKind::kTls,
                        fmt::format("{} offers no STARTTLS on port {}{}", at_.host, at_.port, refused_ehlo()));
    }
    co_await probe_465();
    bool answers = way_.port465.load() == Way::Port465::kTls;
    std::string text = fmt::format("{} offers no STARTTLS on port {}, so nothing was sent", at_.host, at_.port);
    text += refused_ehlo();
    text += answers ? "; port 465 of the same host does answer with TLS: set port = 465 and tls = \"implicit\""
                    : "; port 465 of the same host does not answer with TLS either";
    co_return trouble(Phase::kStartTls, ErrorKind::kTls, std::move(text));
  }
  auto shaken = co_await made_->session->starttls(context_);
  if (!shaken) {
    // RFC 3207 section 4.1: what is only nice to have is done without the next time.
    if (at_.tls == TlsMode::kOpportunistic) way_.tls_broken = true;
    co_return std::unexpected(std::move(shaken.error()));
  }
  co_return Done{};
}

bool RelayOpening::wants_starttls() const {
  if (at_.tls == TlsMode::kStartTls) return true;
  return at_.tls == TlsMode::kOpportunistic && made_->session->capabilities().starttls && !way_.tls_broken;
}

// Once, for the sake of the advice: a handshake and nothing else.
net::Awaitable<void> RelayOpening::probe_465() {
  if (way_.port465.load() != Way::Port465::kUnknown) co_return;
  way_.port465.store(Way::Port465::kNo);
  net::Endpoint to{made_->stream->peer().address, 465};
  auto stream = co_await net::connect(loop_, to, std::min(way_.settings.timeouts.connect, Duration(10s)));
  if (!stream) co_return;
  (*stream)->expires_after(std::min(way_.settings.timeouts.starttls, Duration(10s)));
  auto shaken = co_await (*stream)->start_tls_client(context_);
  if (shaken) way_.port465.store(Way::Port465::kTls);
  (*stream)->close();
}

RelayOpening::Done RelayOpening::judge_peer() {
  const tls::Verdict& verdict = made_->stream->verdict();
  if (verdict.verified || (!way_.settings.tls_verify && !at_.context)) return {};
  return trouble(Phase::kTls, ErrorKind::kTls,
                 fmt::format("the certificate of {} is not accepted, so nothing was sent: {}", at_.host, verdict.why));
}

void RelayOpening::log_tls() {
  if (settings_.log_tls == LogTls::kNone) return;
  const tls::Verdict& v = made_->stream->verdict();
  loop_.log().info("tls", {{"relay", way_.settings.name},
                           {"host", at_.host},
                           {"address", made_->address},
                           {"verified", v.verified},
                           {"why", v.why},
                           {"version", v.version},
                           {"cipher", v.cipher},
                           {"bits", v.bits},
                           {"days_left", v.days_left.value_or(0)}});
  if (settings_.log_tls != LogTls::kHandshake) return;
  loop_.log().info("tls_certificate", {{"relay", way_.settings.name},
                                       {"subject", v.subject},
                                       {"issuer", v.issuer},
                                       {"names", fmt::format("{}", fmt::join(v.names, ","))},
                                       {"fingerprint", v.fingerprint}});
}

net::Awaitable<RelayOpening::Done> RelayOpening::log_in() {
  const RelaySettings& settings = way_.settings;
  const auto& offered = made_->session->capabilities().auth;
  if (settings.protocol == Protocol::kDirect) co_return Done{};  // a certificate is shown; nobody logs in
  const bool certificate = made_->tls && !settings.certificate.cert_file.empty();
  const bool external = certificate && std::ranges::find(offered, "EXTERNAL") != offered.end();
  // With a certificate and nothing else, a server that asks for no login knows us by it.
  if (!settings.has_password() && !external) co_return Done{};
  if (offered.empty()) {
    co_return trouble(Phase::kAuth, ErrorKind::kAuth,
                      fmt::format("{} offers no AUTH {}, and nothing is sent without it{}", at_.host,
                                  made_->tls ? "after TLS" : "without TLS", refused_ehlo()));
  }
  auth::Circumstances circumstances;
  circumstances.tls = made_->tls;
  circumstances.tls_verified = made_->tls && made_->stream->verdict().verified;
  circumstances.insecure = settings.insecure_auth;
  circumstances.certificate = certificate;
  circumstances.host = at_.host;
  if (made_->tls) {
    auto binding = made_->stream->channel_binding();
    circumstances.binding_type = std::move(binding.type);
    circumstances.binding_data = std::move(binding.data);
  }
  auto allowed = settings.mechanisms;
  if (!settings.has_password()) allowed = {"EXTERNAL"};
  auto usable = auth::choose(offered, allowed, circumstances, nullptr);
  if (usable.empty()) {
    co_return trouble(Phase::kAuth, ErrorKind::kAuth, auth::no_common_mechanism(offered, allowed, circumstances));
  }
  auth::Credentials credentials{settings.user, settings.password};
  std::string used;
  auto granted = co_await made_->session->authenticate(usable, credentials, circumstances, &used);
  if (!granted) co_return std::unexpected(std::move(granted.error()));
  made_->authenticated = true;
  loop_.log().info(
      "authenticated",
      {{"relay", settings.name}, {"address", made_->address}, {"mechanism", used}, {"user", settings.user}});
  co_return Done{};
}

OpenTrouble RelayOpening::explain(smtp::Trouble trouble) {
  Event event{
      .phase = trouble.phase, .error = &trouble.error, .authenticated = made_->authenticated, .tls = made_->tls};
  if (trouble.reply) event.reply = &*trouble.reply;
  OpenTrouble told;
  told.verdict = judge(way_.settings, event);
  std::string words = trouble.reply ? trouble.reply->line() : trouble.error.text;
  told.reason = fmt::format("{}: {}", smtp::name(trouble.phase), printable(words, 500));
  told.address = made_->address;
  if (made_->stream) told.our_address = net::local_address(*made_->stream);
  if (made_->tls) told.fault = made_->stream->verdict().fault;
  told.trouble = std::move(trouble);
  return told;
}

}  // namespace sidegate::deliver
