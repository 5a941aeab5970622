#include "deliver/probe.h"

#include "deliver/find_candidates.h"
#include "deliver/probe_walk.h"
#include "deliver/relay_connection.h"
#include "deliver/way.h"

namespace sidegate::deliver {

net::Awaitable<bool> Probe::run() {
  bool good = co_await dialogue();
  if (session_) co_await session_->quit();
  std::string where = fmt::format("{}:{}", printable(relay_.host, 300), relay_.port);
  ProbeStep result{"result", good ? ProbeMark::kGood : ProbeMark::kFailed,
                   {},       {},
                   {},       {{"host", relay_.host}, {"port", std::int64_t(relay_.port)}}};
  const bool sent = good && !options_.send_to.empty();
  result.text = sent   ? tr("{} took the message; whether it arrives is to be seen in the mailbox", where)
                : good ? tr("{} would take mail; nothing was sent", where)
                       : tr("{} would not take mail; nothing was sent", where);
  say(std::move(result));
  co_return good;
}

net::Awaitable<bool> Probe::dialogue() {
  if (!settings()) co_return false;
  bool there = co_await look_up();
  if (!there) co_return false;
  bool connected = co_await connect();
  if (!connected) {
    co_await other_port();
    co_return false;
  }
  if (relay_.tls == TlsMode::kImplicit) {
    bool secured = co_await implicit_tls();
    if (!secured) co_return false;
  }
  bool greeted = co_await greeting();
  if (!greeted) co_return false;
  bool spoken = co_await hello(relay_.tls == TlsMode::kImplicit ? "ehlo_tls" : "ehlo");
  if (!spoken) co_return false;
  if (relay_.tls == TlsMode::kStartTls || relay_.tls == TlsMode::kOpportunistic) {
    bool secured = co_await secure();
    if (!secured) co_return false;
  }
  bool common = mechanisms();
  // With a certificate that is not accepted the dialogue ends here, as it does for mail.
  if (!trusted_ || !common) co_return false;
  bool known = co_await log_in();
  if (!known) co_return false;
  limits();
  co_return co_await try_senders();
}

bool Probe::settings() {
  std::string host;
  if (!split_host(relay_.host, &host, &relay_.port)) {
    return failed("settings", fmt::format("host = \"{}\"", printable(relay_.host, 300)),
                  {_("this is neither a host name, an address nor [host]:port"),
                   _("write host = \"smtp.provider.example\" and port = 587")});
  }
  relay_.host = std::move(host);
  tls::PeerPolicy policy;
  policy.verify = relay_.tls_verify;
  policy.name = relay_.tls_name.empty() ? relay_.host : relay_.tls_name;
  policy.ca_file = relay_.tls_ca_file;
  policy.ca_pem = relay_.tls_ca_pem;
  policy.fingerprints = relay_.tls_fingerprints;
  policy.own = relay_.certificate;
  auto made = tls::ClientContext::make(std::move(policy));
  if (!made) {
    return failed("settings", printable(made.error().text, 500),
                  {_("the TLS settings of this relay cannot be used"), _("see tls_ca_file and tls_fingerprints")});
  }
  context_ = *made;
  return true;
}

net::Awaitable<bool> probe(net::Loop& loop, dns::Resolver& resolver, RelaySettings relay, ProbeOptions options,
                           std::function<void(const ProbeStep&)> sink) {
  const bool several = !relay.places.more_hosts.empty() || !relay.places.ports.empty();
  if (!several && !relay.places.mx && !relay.places.srv) {
    Probe one(loop, resolver, std::move(relay), std::move(options), std::move(sink));
    co_return co_await one.run();
  }
  RelaySettings asked = relay;
  auto lot = static_cast<std::uint32_t>(loop.clock().steady().time_since_epoch().count());
  auto found = co_await find_candidates(loop, resolver, std::move(asked), lot);
  if (!found) {
    ProbeAdvice advice = advise_dns(relay, found.error());
    sink({"dns", ProbeMark::kFailed, printable(found.error().text, 500), advice.cause, advice.cure, {}});
    sink({"result", ProbeMark::kFailed, _("no server was found; nothing was sent"), {}, {}, {}});
    co_return false;
  }
  for (const Candidate& candidate : *found) {
    sink({"candidate", ProbeMark::kGood, candidate.text(), {}, {}, {{"host", candidate.host}}});
    RelaySettings there = relay;
    there.places = {};
    there.host = candidate.host;
    there.port = candidate.port;
    there.tls = candidate.tls;
    there.tls_name = candidate.tls_name;
    Probe one(loop, resolver, std::move(there), options, sink);
    bool good = co_await one.run();
    if (good) co_return true;
  }
  co_return false;
}

}  // namespace sidegate::deliver
