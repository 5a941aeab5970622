// To a relay: its addresses, a connection, and whether another port would do.
#include <algorithm>

#include "deliver/probe_walk.h"
#include "deliver/relay_connection.h"
#include "deliver/socks5.h"
#include "deliver/way.h"
#include "net/socket.h"

namespace sidegate::deliver {
namespace {

smtp::ClientTimeouts patient(const Timeouts& timeouts, Duration most) {
  smtp::ClientTimeouts c = client_timeouts(timeouts);
  for (Duration* d : {&c.greeting, &c.helo, &c.mail, &c.rcpt, &c.starttls, &c.auth, &c.quit}) *d = std::min(*d, most);
  return c;
}

}  // namespace

net::Awaitable<bool> Probe::look_up() {
  // A proxy looks the relay's name up itself.
  const std::string name = relay_.proxy.host.empty() ? relay_.host : relay_.proxy.host;
  auto found = co_await resolver_.addresses(loop_, name);
  if (!found || found->list.empty()) {
    Error error = found ? Error{ErrorKind::kNotFound, tr("{} has no address", name)} : found.error();
    co_return failed("dns", printable(error.text, 500), advise_dns(relay_, error));
  }
  addresses_ = found->list;
  ProbeStep step{"dns", ProbeMark::kGood, {}, {}, {}, {{"addresses", addresses_}}};
  step.text = relay_.proxy.host.empty() ? fmt::format("{}: {}", printable(name, 300), shown(addresses_))
                                        : tr("proxy {}: {}", printable(name, 300), shown(addresses_));
  if (found->stale) {
    step.mark = ProbeMark::kNote;
    step.text = tr("{} (an earlier answer: the name servers do not answer now)", step.text);
  }
  say(std::move(step));
  co_return true;
}

// Both families are tried, so that one sees which works, each until one address answers or two do not; the first that
// answers is spoken to.
net::Awaitable<bool> Probe::connect() {
  int good[2] = {0, 0}, bad[2] = {0, 0};
  for (const std::string& address : addresses_) {
    int family = is_ipv6(address);
    if (good[family] > 0 || bad[family] == 2) continue;
    std::string one = address;
    bool there = co_await connect_one(std::move(one));
    ++(there ? good : bad)[family];
  }
  for (ProbeStep& step : unreached_) {
    if (stream_) {
      step.mark = ProbeMark::kNote;
      step.cause = tr("{}; no obstacle, as another address answers", step.cause);
      step.cure.clear();
    }
    say(std::move(step));
  }
  if (!stream_) {
    co_return failed("connect", _("no address could be reached"),
                     {_("none of the addresses above took the connection"), _("see the lines above")});
  }
  session_ =
      std::make_unique<smtp::ClientSession>(*stream_, options_.hostname, patient(relay_.timeouts, options_.patience));
  if (options_.transcript) session_->set_transcript(options_.transcript);
  co_return true;
}

net::Awaitable<bool> Probe::connect_one(std::string address) {
  const bool proxied = !relay_.proxy.host.empty();
  net::Endpoint to{address, proxied ? relay_.proxy.port : relay_.port};
  std::string source;
  for (const std::string& ours : relay_.source_addresses) {
    if (is_ipv6(ours) == is_ipv6(address)) source = ours;
  }
  const std::string family = is_ipv6(address) ? "IPv6" : "IPv4";
  SteadyTime began = loop_.clock().steady();
  const Duration limit = std::min(relay_.timeouts.connect, options_.patience);
  auto stream = co_await net::connect(loop_, to, limit, std::move(source));
  if (stream && proxied && !stream_) {
    Proxy proxy = relay_.proxy;
    std::string host = relay_.host;
    Status through = co_await socks5_connect(**stream, std::move(proxy), std::move(host), relay_.port, limit);
    if (!through) stream = std::unexpected(through.error());
  }
  auto took = std::chrono::duration_cast<Duration>(loop_.clock().steady() - began).count();
  ProbeStep step;
  step.name = "connect";
  step.details = {{"family", family}, {"address", address}, {"milliseconds", std::int64_t(took)}};
  if (stream) {
    step.text = tr("{} {}: connected in {} ms", family, to.text(), took);
    if (stream_) {
      (*stream)->close();
    } else {
      stream_ = std::move(*stream);
    }
    say(std::move(step));
    co_return true;
  }
  ProbeAdvice advice = advise_connect(relay_, stream.error());
  bool no_network = stream.error().kind == ErrorKind::kUnreachable;
  step.mark = ProbeMark::kFailed;
  step.text = fmt::format("{}: {}", family, printable(stream.error().text, 300));
  step.cause = no_network ? tr("this machine has no {} towards the outside", family) : advice.cause;
  step.cure = advice.cure;
  step.details.emplace_back("error", std::string(sidegate::name(stream.error().kind)));
  unreached_.push_back(std::move(step));
  co_return false;
}

// For the advice's sake: does port 465 of the same host speak TLS? A handshake, and not one octet after it.
net::Awaitable<void> Probe::other_port() {
  if (relay_.port == 465 || addresses_.empty() || !relay_.proxy.host.empty()) co_return;
  net::Endpoint to{stream_ ? stream_->peer().address : addresses_.front(), 465};
  if (!stream_) {  // the family that exists
    auto ipv4 = std::ranges::find_if_not(addresses_, is_ipv6);
    if (ipv4 != addresses_.end()) to.address = *ipv4;
  }
  Duration patience = std::min(options_.patience, Duration(10'000));
  auto stream = co_await net::connect(loop_, to, patience);
  Status secured = stream ? Status() : std::unexpected(stream.error());
  if (stream) {
    (*stream)->expires_after(patience);
    secured = co_await (*stream)->start_tls_client(context_);
  }
  ProbeStep step{"port465", ProbeMark::kNote, {}, {}, {}, {{"address", to.address}, {"tls", secured.has_value()}}};
  if (secured) {
    const tls::Verdict& v = (*stream)->verdict();
    step.details.emplace_back("verified", v.verified);
    step.text = v.verified ? tr("port 465 of the same host speaks {}, certificate verified", v.version)
                           : tr("port 465 of the same host speaks {}, certificate not verified: {}", v.version,
                                printable(v.why, 300));
    step.cure = _("set port = 465 and tls = \"implicit\"");
  } else {
    step.text = tr("port 465 of the same host does not help: {}", printable(secured.error().text, 300));
  }
  if (stream) (*stream)->close();
  say(std::move(step));
}

}  // namespace sidegate::deliver
