#include "deliver/probe.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/text.h"
#include "deliver/find_candidates.h"
#include "deliver/probe_advice.h"
#include "deliver/probe_message.h"
#include "deliver/relay_connection.h"
#include "deliver/socks5.h"
#include "deliver/way.h"
#include "net/socket.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

smtp::ClientTimeouts patient(const Timeouts& timeouts, Duration most) {
  smtp::ClientTimeouts c = client_timeouts(timeouts);
  for (Duration* d : {&c.greeting, &c.helo, &c.mail, &c.rcpt, &c.starttls, &c.auth, &c.quit}) *d = std::min(*d, most);
  return c;
}

std::string shown(const std::vector<std::string>& words) {
  return printable(fmt::format("{}", fmt::join(words, " ")), 500);
}

std::string all_or(const std::vector<std::string>& words, const char* if_empty) {
  return words.empty() ? if_empty : shown(words);
}

std::string validity_words(const std::optional<int>& days_left) {
  if (!days_left) return _("no end date");
  if (*days_left >= 0) return trn("{} day left", "{} days left", *days_left, *days_left);
  const int ago = tls::days_ended(*days_left);
  return ago == 0 ? std::string(_("expired today")) : trn("expired {} day ago", "expired {} days ago", ago, ago);
}

}  // namespace

class Probe {
 public:
  Probe(net::Loop& loop, dns::Resolver& resolver, RelaySettings relay, ProbeOptions options,
        std::function<void(const ProbeStep&)> sink)
      : loop_(loop),
        resolver_(resolver),
        relay_(std::move(relay)),
        options_(std::move(options)),
        sink_(std::move(sink)) {}
  net::Awaitable<bool> run();

 private:
  // Each says what it saw and whether the next step makes sense.
  net::Awaitable<bool> dialogue();
  bool settings();
  net::Awaitable<bool> look_up();
  net::Awaitable<bool> connect();
  net::Awaitable<bool> connect_one(std::string address);
  net::Awaitable<bool> greeting();
  net::Awaitable<bool> hello(std::string name);
  net::Awaitable<bool> secure();
  net::Awaitable<bool> starttls();
  net::Awaitable<bool> again_in_the_clear();
  net::Awaitable<bool> implicit_tls();
  bool certificate();
  bool mechanisms();
  net::Awaitable<bool> log_in();
  void limits();
  std::vector<ProbeSender> senders() const;
  net::Awaitable<bool> try_senders();
  net::Awaitable<bool> try_sender(ProbeSender sender);
  net::Awaitable<bool> send(std::string from);
  net::Awaitable<void> other_port();

  auth::Circumstances circumstances() const;
  void say(ProbeStep step) { sink_(step); }
  void no_tls(std::string name, std::string text, ProbeAdvice advice);  // how bad: by what the relay's block demands
  bool failed(std::string name, std::string text, ProbeAdvice advice) {
    say({std::move(name), ProbeMark::kFailed, std::move(text), std::move(advice.cause), std::move(advice.cure), {}});
    return false;
  }

  net::Loop& loop_;
  dns::Resolver& resolver_;
  RelaySettings relay_;
  ProbeOptions options_;
  std::function<void(const ProbeStep&)> sink_;
  std::shared_ptr<const tls::ClientContext> context_;
  std::vector<std::string> addresses_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<smtp::ClientSession> session_;
  std::vector<ProbeStep> unreached_;  // told after all were tried: how bad it is depends on the others
  std::vector<std::string> usable_;
  bool trusted_ = true;  // nothing seen so far forbids to send a password
};

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

net::Awaitable<bool> Probe::greeting() {
  auto said = co_await session_->greet();
  if (!said) {
    std::string text = words_of(said.error());
    co_return failed("greeting", std::move(text), advise_greeting(relay_, said.error()));
  }
  say({"greeting", ProbeMark::kGood, printable(said->line(), 300), {}, {}, {{"reply", said->line()}}});
  co_return true;
}

net::Awaitable<bool> Probe::hello(std::string name) {
  auto said = co_await session_->ehlo();
  if (!said) {
    std::string text = words_of(said.error());
    co_return failed(std::move(name), std::move(text), advise_ehlo(options_.hostname, said.error()));
  }
  ProbeStep step{std::move(name), ProbeMark::kGood, shown(said->raw), {}, {}, {}};
  if (!said->esmtp) {
    step.mark = ProbeMark::kNote;
    step.text = tr("HELO alone, no TLS and no AUTH; to EHLO it said: {}", printable(said->refusal, 300));
  }
  step.details = {{"host", printable(said->host, 300)},
                  {"keywords", said->raw},
                  {"auth", said->auth},
                  {"starttls", said->starttls}};
  if (!said->esmtp) step.details.emplace_back("refusal", said->refusal);
  if (said->size)
    step.details.emplace_back("size", static_cast<std::int64_t>(std::min<std::uint64_t>(*said->size, INT64_MAX)));
  say(std::move(step));
  co_return true;
}

// What is only nice to have is done without where it is not offered or does not work (RFC 3207 section 4.1): as
// RelayOpening has it, so that what is said here is what becomes of mail.
net::Awaitable<bool> Probe::secure() {
  const bool required = relay_.tls != TlsMode::kOpportunistic;
  if (!session_->capabilities().starttls) {
    no_tls("starttls", tr("not offered on port {}", relay_.port), advise_starttls(relay_, false, nullptr));
    if (required) co_await other_port();
    co_return !required;
  }
  bool secured = co_await starttls();
  if (secured) co_return co_await hello("ehlo_tls");  // RFC 3207 section 4.2
  if (required) co_return false;
  co_return co_await again_in_the_clear();
}

void Probe::no_tls(std::string name, std::string text, ProbeAdvice advice) {
  if (relay_.tls != TlsMode::kOpportunistic) {
    failed(std::move(name), std::move(text), std::move(advice));
    return;
  }
  say({std::move(name),
       ProbeMark::kNote,
       std::move(text),
       _("with tls = \"opportunistic\" mail then goes in the clear: whoever sits between can read and change it"),
       _("tls = \"starttls\" has it wait instead"),
       {}});
}

// A connection on which TLS went wrong is of no more use.
net::Awaitable<bool> Probe::again_in_the_clear() {
  relay_.tls = TlsMode::kNone;
  session_.reset();
  stream_->close();
  stream_.reset();
  unreached_.clear();
  bool connected = co_await connect();
  if (!connected) co_return false;
  bool greeted = co_await greeting();
  if (!greeted) co_return false;
  co_return co_await hello("ehlo");
}

net::Awaitable<bool> Probe::starttls() {
  auto secured = co_await session_->starttls(context_);
  if (!secured) {
    const smtp::Trouble& trouble = secured.error();
    std::string text = words_of(trouble);
    const bool shook = trouble.phase == Phase::kTls;
    no_tls(shook ? "tls" : "starttls", std::move(text),
           shook ? advise_handshake(relay_, trouble.error) : advise_starttls(relay_, true, &trouble));
    co_return false;
  }
  say({"starttls", ProbeMark::kGood, printable(secured->line(), 300), {}, {}, {{"reply", secured->line()}}});
  co_return certificate();
}

net::Awaitable<bool> Probe::implicit_tls() {
  stream_->expires_after(std::min(relay_.timeouts.starttls, options_.patience));
  auto secured = co_await stream_->start_tls_client(context_);
  if (!secured) {
    std::string text = printable(secured.error().text, 500);
    ProbeAdvice advice = advise_handshake(relay_, secured.error());
    session_.reset();  // no dialogue: no QUIT
    stream_->close();
    co_return failed("tls", std::move(text), std::move(advice));
  }
  co_return certificate();
}

// True: the dialogue goes on, to show what the server offers; what a password may do is in trusted_.
bool Probe::certificate() {
  const tls::Verdict& v = stream_->verdict();
  say({"tls",
       ProbeMark::kGood,
       fmt::format("{}, {}", v.version, v.cipher),
       {},
       {},
       {{"version", v.version}, {"cipher", v.cipher}, {"bits", std::int64_t(v.bits)}}});
  ProbeStep step{"certificate", ProbeMark::kGood, {}, {}, {}, {}};
  const std::string whose = v.names.empty() ? printable(v.subject, 300) : shown(v.names);
  const std::string seen = tr("for {}; by {}; {}", whose, printable(v.issuer, 300), validity_words(v.days_left));
  step.details = {{"verified", v.verified}, {"why", v.why},       {"names", v.names},
                  {"subject", v.subject},   {"issuer", v.issuer}, {"fingerprint", v.fingerprint}};
  if (v.days_left) step.details.emplace_back("days_left", std::int64_t(*v.days_left));
  if (v.verified) {
    step.text = tr("{}; verified", seen);
    if (v.days_left && *v.days_left < 7) {
      step.mark = ProbeMark::kNote;
      step.cause = _("the certificate ends soon, and mail waits if it does");
    }
  } else if (!relay_.tls_verify) {
    step.mark = ProbeMark::kNote;
    step.text = tr("{}; not verified", seen);
    step.cause =
        _("this relay is set to take any certificate (tls_verify = false): whoever sits between reads the mail");
    step.cure = tr("pin it instead: tls_fingerprints = [\"{}\"]", v.fingerprint);
  } else {
    trusted_ = false;
    step.mark = ProbeMark::kFailed;
    step.text = tr("{}; NOT verified", seen);
    ProbeAdvice advice = advise_certificate(relay_, v);
    step.cause = std::move(advice.cause);
    step.cure = std::move(advice.cure);
  }
  say(std::move(step));
  return true;
}

auth::Circumstances Probe::circumstances() const {
  auth::Circumstances c;
  c.tls = stream_->is_tls();
  c.tls_verified = c.tls && stream_->verdict().verified;
  c.insecure = relay_.insecure_auth;
  c.host = relay_.host;
  c.certificate = c.tls && !relay_.certificate.cert_file.empty();
  if (c.tls) {
    tls::ChannelBinding binding = stream_->channel_binding();
    c.binding_type = std::move(binding.type);
    c.binding_data = std::move(binding.data);
  }
  return c;
}

bool Probe::mechanisms() {
  const std::vector<std::string>& offered = session_->capabilities().auth;
  auth::Circumstances here = circumstances();
  std::vector<std::string> why;
  usable_ = auth::choose(offered, relay_.mechanisms, here, &why);
  ProbeStep step{
      "mechanisms", ProbeMark::kGood,
      {},           {},
      {},           {{"offered", offered}, {"allowed", relay_.mechanisms}, {"usable", usable_}, {"why_not", why}}};
  step.text = tr("offered {}; allowed {}; usable {}", all_or(offered, _("none")), all_or(relay_.mechanisms, _("all")),
                 all_or(usable_, _("none")));
  if (!relay_.has_credentials()) {
    step.mark = ProbeMark::kNote;
    step.text = tr("{}; no user is set, so there is no login", step.text);
  } else if (usable_.empty()) {
    step.mark = ProbeMark::kFailed;
    step.cause = printable(auth::no_common_mechanism(offered, relay_.mechanisms, here), 2000);
    step.cure = offered.empty() && here.tls ? _("ask the provider which port takes a login")
                : offered.empty() ? _("many servers offer AUTH only inside TLS: set tls = \"starttls\" or \"implicit\"")
                                  : _("see the reasons above; each says what would make that mechanism usable");
  }
  bool good = step.ok();
  say(std::move(step));
  return good;
}

net::Awaitable<bool> Probe::log_in() {
  const bool external = std::ranges::find(usable_, "EXTERNAL") != usable_.end();
  if (!relay_.has_credentials() && !external) co_return true;
  auth::Credentials credentials{relay_.user, relay_.password};
  auth::Circumstances here = circumstances();
  std::string used;
  auto granted = co_await session_->authenticate(usable_, credentials, here, &used);
  if (!granted) {
    std::string text = (used.empty() ? "" : used + ": ") + words_of(granted.error());
    co_return failed("auth", std::move(text), advise_auth(relay_, granted.error()));
  }
  say({"auth",
       ProbeMark::kGood,
       tr("{} as {}: {}", used, printable(relay_.user, 200), printable(granted->line(), 300)),
       {},
       {},
       {{"mechanism", used}, {"user", relay_.user}, {"reply", granted->line()}}});
  co_return true;
}

// What the relay says of its limits: SIZE (RFC 1870), LIMITS (RFC 9422).
void Probe::limits() {
  const smtp::Capabilities& said = session_->capabilities();
  ProbeStep step{"limits", ProbeMark::kGood, {}, {}, {}, {}};
  if (said.size) {
    const std::uint64_t size = *said.size;
    step.text = tr("messages up to {} octets", size);
    step.details.emplace_back("size", static_cast<std::int64_t>(std::min<std::uint64_t>(size, INT64_MAX)));
    if (options_.max_message_size > size) {
      step.mark = ProbeMark::kNote;
      step.cause = _("our listeners take larger ones; what no relay takes is refused there once that is known");
      step.cure = tr("max_message_size = \"{}\" in [[listener]] says so from the beginning", size);
    }
  }
  for (const std::string& line : said.raw) {
    if (!istarts_with(line, "LIMITS ")) continue;
    step.text += (step.text.empty() ? "" : "; ") + printable(line.substr(7), 200);
    step.details.emplace_back("limits", line.substr(7));
  }
  if (!step.text.empty()) say(std::move(step));
}

std::vector<ProbeSender> Probe::senders() const {
  if (options_.sender) return {{*options_.sender, false}};
  if (!options_.senders.empty()) return options_.senders;
  if (!relay_.address.empty()) return {{relay_.address, false}};
  if (relay_.user.find('@') != std::string::npos) return {{relay_.user, false}};
  return {};
}

net::Awaitable<bool> Probe::try_senders() {
  const std::vector<ProbeSender> all = senders();
  if (all.empty()) {
    say({"mail",
         ProbeMark::kNote,
         _("not tried: no sender is known"),
         _("the user is no mail address"),
         _("give one with --from ADDRESS"),
         {}});
    co_return options_.send_to.empty() ||
        failed("send", _("not sent: no sender is known"), {"", _("give one with --from ADDRESS")});
  }
  bool good = true;
  for (const ProbeSender& sender : all) {
    ProbeSender one = sender;
    const bool taken = co_await try_sender(std::move(one));
    good = good && (taken || sender.guessed);
    if (session_ == nullptr) co_return false;
  }
  if (!good || options_.send_to.empty()) co_return good;
  std::string from = all.front().address;
  co_return co_await send(std::move(from));
}

net::Awaitable<bool> Probe::try_sender(ProbeSender sender) {
  const std::string& from = sender.address;
  Duration patience = std::min(relay_.timeouts.mail, options_.patience);
  auto taken = co_await session_->command(Phase::kMail, "MAIL FROM:<" + from + ">", patience);
  ProbeStep step{"mail", ProbeMark::kGood, {}, {}, {}, {{"sender", from}}};
  if (taken) {
    step.text = fmt::format("MAIL FROM:<{}>: {}", printable(from, 300), printable(taken->line(), 300));
    step.details.emplace_back("reply", taken->line());
    say(std::move(step));
  } else {
    ProbeAdvice advice = advise_mail(relay_, from, taken.error());
    step.mark = sender.guessed ? ProbeMark::kNote : ProbeMark::kFailed;
    step.text = words_of(taken.error());
    step.text = fmt::format("MAIL FROM:<{}>: {}", printable(from, 300), step.text);
    step.cause = std::move(advice.cause);
    step.cure = std::move(advice.cure);
    say(std::move(step));
    if (!taken.error().reply || taken.error().reply->code == 421) session_.reset();  // it is gone
    if (session_ == nullptr) co_return false;
  }
  auto reset = co_await session_->command(Phase::kMail, "RSET", patience);
  (void)reset;  // QUIT ends it as well
  co_return taken.has_value();
}

// One real message, followed to the relay's last word on it.
net::Awaitable<bool> Probe::send(std::string from) {
  // A header needs an address, also where the envelope has the null sender.
  std::string author = from.empty() ? "postmaster@" + options_.hostname : from;
  TestMessageWords words{std::move(author),           options_.send_to,     options_.hostname,
                         printable(relay_.host, 300), loop_.clock().wall(), {}};
  words.id = fmt::format("relay-test.{}",
                         std::chrono::duration_cast<std::chrono::microseconds>(words.at.time_since_epoch()).count());
  TestMessage message(test_message_text(words));
  smtp::Transmission transmission;
  transmission.reverse_path = std::move(from);
  transmission.recipients.push_back({options_.send_to, {}});
  transmission.content = &message;
  smtp::Transmitted done = co_await session_->send(transmission);
  ProbeStep step{"send", ProbeMark::kGood, {}, {}, {}, {{"recipient", options_.send_to}}};
  const std::string to = printable(options_.send_to, 300);
  if (done.final && done.final->positive()) {
    step.text = tr("sent to <{}>: {}", to, printable(done.final->line(), 300));
    step.details.emplace_back("reply", done.final->line());
    say(std::move(step));
    co_return true;
  }
  smtp::Trouble trouble;
  const auto& rcpt = done.recipients.empty() ? std::optional<mail::Reply>() : done.recipients.front();
  for (const auto& reply : {done.mail, rcpt, done.data, done.final}) {
    if (reply && !reply->positive() && reply->code != 354) trouble.reply = reply;
  }
  if (!trouble.reply && done.broken) trouble = *done.broken;
  if (done.broken) session_.reset();
  std::string text = tr("to <{}>: {}", to, words_of(trouble));
  const bool later = trouble.reply && trouble.reply->transient();
  co_return failed("send", std::move(text),
                   {later ? _("the relay does not take this message now") : _("the relay does not take this message"),
                    _("its words say why")});
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
