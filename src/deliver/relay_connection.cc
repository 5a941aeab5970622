#include "deliver/relay_connection.h"

#include <algorithm>

#include "base/text.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

constexpr std::size_t kMostAddresses = 8;  // tried in one opening

std::unexpected<smtp::Trouble> trouble(Phase phase, Error error) {
  return std::unexpected(smtp::Trouble{phase, std::nullopt, std::move(error)});
}

std::unexpected<smtp::Trouble> trouble(Phase phase, ErrorKind kind, std::string text) {
  return trouble(phase, Error{kind, std::move(text)});
}

int family_of(const std::string& address) {
  return address.find(':') == std::string::npos ? 4 : 6;
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
  std::optional<OpenTrouble> first;  // what the candidate that is meant to work came to
  for (Candidate& candidate : candidates_) {
    at_ = std::move(candidate);
    made_ = std::make_unique<RelayConnection>();
    made_->lmtp = way_.settings.protocol == Protocol::kLmtp;
    // A Unix socket is on this machine, so it goes by this machine's name.
    made_->host = at_.is_path() ? settings_.hostname : at_.host;
    Done step = co_await open();
    if (step) {
      made_->took = std::chrono::duration_cast<Duration>(loop_.clock().steady() - began);
      co_return std::move(made_);
    }
    if (!first) first = explain(std::move(step.error()));
    if (made_->stream) made_->stream->close();
  }
  co_return std::unexpected(std::move(*first));
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

net::Awaitable<RelayOpening::Done> RelayOpening::reach() {
  context_ = at_.tls == TlsMode::kNone ? nullptr : way_.tls_for(at_.tls_name);
  if (at_.tls != TlsMode::kNone && !context_) co_return trouble(Phase::kTls, ErrorKind::kTls, way_.tls_error);
  if (at_.is_path()) co_return co_await reach_one(at_.host);
  auto found = co_await resolver_.addresses(loop_, at_.host);
  if (!found) co_return trouble(Phase::kResolve, found.error());
  if (found->list.empty()) co_return trouble(Phase::kResolve, ErrorKind::kNotFound, at_.host + " has no address");
  std::optional<smtp::Trouble> last, unreachable;
  for (std::string& address : in_order(std::move(found->list))) {
    int family = family_of(address);
    Done one = co_await reach_one(std::move(address));
    if (one) {
      way_.good_family.store(family, std::memory_order_relaxed);
      co_return Done{};
    }
    // A family that this network does not have is no attempt and no error, as long as there is another one.
    bool no_network = one.error().phase == Phase::kConnect && one.error().error.kind == ErrorKind::kUnreachable;
    (no_network ? unreachable : last) = std::move(one.error());
  }
  co_return std::unexpected(std::move(last ? *last : *unreachable));
}

net::Awaitable<RelayOpening::Done> RelayOpening::reach_one(std::string address) {
  net::Endpoint to{std::move(address), at_.is_path() ? 0u : at_.port};
  made_->address = to.text();
  auto stream = co_await net::connect(loop_, to, way_.settings.timeouts.connect);
  if (!stream) co_return trouble(Phase::kConnect, stream.error());
  made_->stream = std::move(*stream);
  loop_.log().info("connected",
                   {{"relay", way_.settings.name}, {"host", at_.host}, {"address", to.address}, {"port", to.port}});
  made_->session = std::make_unique<smtp::ClientSession>(*made_->stream, settings_.hostname,
                                                         client_timeouts(way_.settings.timeouts));
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
    co_await probe_465();
    bool answers = way_.port465.load() == Way::Port465::kTls;
    std::string text = fmt::format("{} offers no STARTTLS on port {}, so nothing was sent", at_.host, at_.port);
    text += refused_ehlo();
    text += answers ? "; port 465 of the same host does answer with TLS: set port = 465 and tls = \"implicit\""
                    : "; port 465 of the same host does not answer with TLS either (with tls = \"implicit\" it would "
                      "be the other way)";
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
  if (verdict.verified || !way_.settings.tls_verify) return {};
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
  if (!settings.has_credentials()) co_return Done{};
  const auto& offered = made_->session->capabilities().auth;
  if (offered.empty()) {
    co_return trouble(Phase::kAuth, ErrorKind::kAuth,
                      fmt::format("{} offers no AUTH {}, and nothing is sent without it{}", at_.host,
                                  made_->tls ? "after TLS" : "without TLS", refused_ehlo()));
  }
  auth::Circumstances circumstances;
  circumstances.tls = made_->tls;
  circumstances.tls_verified = made_->tls && made_->stream->verdict().verified;
  circumstances.insecure = settings.insecure_auth;
  circumstances.host = at_.host;
  if (made_->tls) {
    auto binding = made_->stream->channel_binding();
    circumstances.binding_type = std::move(binding.type);
    circumstances.binding_data = std::move(binding.data);
  }
  std::vector<std::string> why;
  auto usable = auth::choose(offered, settings.mechanisms, circumstances, &why);
  if (usable.empty()) {
    co_return trouble(Phase::kAuth, ErrorKind::kAuth,
                      auth::no_common_mechanism(offered, settings.mechanisms, circumstances));
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
  told.trouble = std::move(trouble);
  return told;
}

}  // namespace sidegate::deliver
