// Who speaks, and how: EHLO and HELO, STARTTLS, XCLIENT.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "smtp/ehlo_answer.h"
#include "smtp/server_session.h"
#include "smtp/xclient.h"

namespace sidegate::smtp {
namespace {

constexpr std::size_t kLongestHelo = 255;
constexpr Duration kHandshakeTimeout = 1min;

// Of what is no name only as much is kept as people want to read, and as UTF-8.
std::string kept_helo(std::string_view name) {
  std::string kept(name.substr(0, kLongestHelo));
  if (name.size() > kLongestHelo) kept.replace(kLongestHelo - 3, 3, "...");
  if (is_utf8(kept)) return kept;
  for (char& c : kept) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  return kept;
}

}  // namespace

net::Awaitable<void> ServerSession::ehlo(std::string_view arguments) {
  auto name = parse_helo(arguments);
  if (!name) {
    say(name.error());
    co_return;
  }
  if (phase_ != kStart && !idle_command()) co_return;  // a second one brings no mail nearer
  forget_transaction();                                // RFC 5321 section 4.1.4
  begin_hello(kept_helo(*name), true);
  if (receiver_.listens_to_all() && co_await hello_refused("EHLO")) co_return;
  // RFC 1870 section 4: what no way out takes is not worth being offered.
  std::uint64_t size = settings_->max_message_size;
  if (const std::uint64_t largest = receiver_.largest_that_leaves(); largest != 0)
    size = size == 0 ? largest : std::min(size, largest);
  out_ += ehlo_answer(*settings_, size, starttls_offered(), auth_mechanisms(),
                      may_xclient() ? xclient_keyword(settings_->offer_auth) : std::string_view(), info_.tls);
  count(250);
}

net::Awaitable<void> ServerSession::helo(std::string_view arguments) {
  auto name = parse_helo(arguments);
  if (!name) {
    say(name.error());
    co_return;
  }
  if (phase_ != kStart && !idle_command()) co_return;
  forget_transaction();
  begin_hello(kept_helo(*name), false);
  if (receiver_.listens_to_all() && co_await hello_refused("HELO")) co_return;
  say("250 " + settings_->hostname);
}

void ServerSession::begin_hello(std::string name, bool esmtp) {
  info_.helo = std::move(name);
  info_.esmtp = esmtp;
  phase_ = kGreeted;
}

// By the receiver: the session is where it was before any.
net::Awaitable<bool> ServerSession::hello_refused(std::string_view verb) {
  auto refusal = co_await receiver_.hello(info_);
  if (!refusal) co_return false;
  answer(verb, *refusal);
  info_.helo.clear();
  phase_ = kStart;
  co_return true;
}

// RFC 3207
net::Awaitable<void> ServerSession::starttls(std::string_view arguments) {
  if (info_.tls) {
    say("503 5.5.1 TLS is already in use");
  } else if (!starttls_offered()) {
    say("502 5.5.1 STARTTLS is not offered here");
  } else if (!arguments.empty()) {
    say("501 5.5.4 STARTTLS takes no parameter");
  } else if (stream_.buffered() > 0) {
    // RFC 3207 section 4.2: what was sent in the clear behind the command would be taken for the TLS peer's words.
    say_and_close("554 5.5.0 Nothing may follow STARTTLS before its reply");
  } else {
    say("220 2.0.0 Ready to start TLS");
    if (!co_await flush()) co_return;
    stream_.drop_buffered();
    stream_.expires_after(std::min<Duration>(kHandshakeTimeout, settings_->idle_timeout));
    auto shaken = co_await stream_.start_tls_server(tls_);
    if (!shaken) {
      open_ = false;
      end_ = shaken.error().kind == ErrorKind::kTimeout ? "timeout" : "lost";
      receiver_.not_secured(info_, shaken.error());
      co_return;
    }
    // RFC 3207 section 4.2: all that the client said before is forgotten.
    forget_transaction();
    info_.helo.clear();
    info_.esmtp = false;
    // One that XCLIENT has told of: AUTH stands inside TLS only.
    if (info_.authenticated()) {
      info_.user.clear();
      info_.mechanism = {};
      (void)receiver_.logged_in(info_);
    }
    info_.tls = true;
    note_tls();
    receiver_.secured(info_, stream_.verdict());
    phase_ = kStart;
  }
}

// A front speaks for itself until it has said who the client is: from then on, and from the first command that no front
// needs before, the words may be a stranger's, which it passes on as they are (nginx does so once it has sent XCLIENT,
// or MAIL).
void ServerSession::hear_who_speaks(const Verb* verb) {
  static constexpr std::array<std::string_view, 5> kBefore = {"EHLO", "HELO", "STARTTLS", "NOOP", "QUIT"};
  if (verb != nullptr && verb->handle == &ServerSession::xclient) return;
  if (verb != nullptr && !said_of_client_ && std::ranges::find(kBefore, verb->name) != kBefore.end()) return;
  stranger_speaks_ = true;
  said_of_client_.reset();
}

bool ServerSession::may_xclient() const {
  return !stranger_speaks_ && (info_.may_xclient || said_of_client_);
}

// Postfix's XCLIENT_README: the session begins anew with another client, greeting included. It may follow a STARTTLS.
// Who may send it is a matter of the socket's peer and of nothing that was said before. Several in a row are one
// statement.
net::Awaitable<void> ServerSession::xclient(std::string_view arguments) {
  if (!may_xclient()) {
    say("550 5.7.0 XCLIENT is for listed hosts, once, before anything else");
    co_return;
  }
  if (!idle_command()) co_return;
  auto command = parse_xclient(arguments, settings_->offer_auth);
  if (!command) {
    say(command.error());
    co_return;
  }
  auto said = std::make_unique<XclientCommand>(said_of_client_ ? *said_of_client_ : XclientCommand());
  if (!add_xclient(*said, std::move(*command))) {
    say("501 5.5.4 XCLIENT has said this before");
    co_return;
  }
  said_of_client_ = std::move(said);
  forget_transaction();
  info_.spoke_early = false;
  const bool had_user = info_.authenticated();
  apply_xclient(*said_of_client_, info_);
  co_await meet_again(*said_of_client_);
  // Whom a login stood for is not who speaks now; who does is held to his limits.
  if (had_user || info_.authenticated()) {
    if (auto refusal = receiver_.logged_in(info_)) {
      say(*refusal);
      open_ = false;
      co_return;
    }
  }
  co_await greet();
}

// What the front has said stands; the rest is found out.
net::Awaitable<void> ServerSession::meet_again(const XclientCommand& said) {
  const std::string name = info_.client_name, ptr = info_.client_ptr;
  co_await receiver_.meet(info_);
  if (said.name || !said.address) info_.client_name = name;
  if (said.name || said.reverse_name || !said.address) info_.client_ptr = ptr;
  if (!said.helo) info_.helo.clear();
  phase_ = info_.helo.empty() ? kStart : kGreeted;
}

void ServerSession::note_tls() {
  const tls::Verdict& verdict = stream_.verdict();
  auto facts = std::make_shared<TlsFacts>();
  facts->summary = tls_summary(verdict);
  facts->version = verdict.version;
  facts->cipher = verdict.cipher;
  facts->bits = verdict.bits;
  facts->certificate.fingerprint = verdict.fingerprint;
  if (verdict.verified && !verdict.fingerprint.empty()) {
    facts->certificate.verified = true;
    facts->certificate.subject = verdict.subject;
    facts->certificate.names = verdict.names;
  }
  info_.tls_facts = std::move(facts);
}

bool ServerSession::starttls_offered() const {
  return settings_->offer_starttls && tls_ && !info_.tls;
}

}  // namespace sidegate::smtp
