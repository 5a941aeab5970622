// What a relay says first: greeting, EHLO, TLS and its certificate.
#include <algorithm>

#include "deliver/probe_walk.h"

namespace sidegate::deliver {
namespace {

using smtp::Phase;

std::string validity_words(const std::optional<int>& days_left) {
  if (!days_left) return _("no end date");
  if (*days_left >= 0) return trn("{} day left", "{} days left", *days_left, *days_left);
  const int ago = tls::days_ended(*days_left);
  return ago == 0 ? std::string(_("expired today")) : trn("expired {} day ago", "expired {} days ago", ago, ago);
}

}  // namespace

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

}  // namespace sidegate::deliver
