#include "doctor/look.h"

#include "base/text.h"
#include "mail/reply.h"
#include "net/socket.h"

namespace sidegate::doctor {
namespace {

using smtp::Phase;

constexpr std::size_t kTricksASession = 6;  // so that a server that counts errors does not end it early
constexpr int kMostFailures = 3;            // sessions that ended early, one after the other
constexpr Duration kConnect{10'000};
constexpr Duration kInjectedAnswer{3'000};  // that which must not come is waited for so long
// Nobody's name, at any server.
constexpr const char* kNobody = "no-such-user-7f3a91c2";

smtp::ClientTimeouts timeouts(Duration d) {
  return {.greeting = d,
          .helo = d,
          .mail = d,
          .rcpt = d,
          .starttls = d,
          .auth = d,
          .data_init = d,
          .data_block = d,
          .data_done = d,
          .quit = Duration(5'000)};
}

Answer answer_of(const mail::Reply& reply) {
  return {reply.code, printable(reply.line(), 300)};
}

Answer answer_of(const smtp::Trouble& trouble) {
  if (trouble.reply) return answer_of(*trouble.reply);
  return {0, printable(trouble.error.text, 300)};
}

template <typename T>
Answer answer_of(const smtp::Step<T>& step) {
  return step ? answer_of(*step) : answer_of(step.error());
}

class Look {
 public:
  Look(net::Loop& loop, Place place, LookOptions options) : loop_(loop), options_(std::move(options)) {
    seen_.place = std::move(place);
  }

  net::Awaitable<PortSeen> run();

 private:
  enum class Secure : std::uint8_t { kNo, kYes };

  const Place& place() const { return seen_.place; }
  bool has_starttls() const { return seen_.in_clear.capabilities.starttls; }

  // A session up to EHLO, in the clear or inside TLS (both alike where TLS begins at once). False: there is none, and
  // `trouble` says why.
  net::Awaitable<bool> open(Secure secure, std::string version, Answer* trouble);
  net::Awaitable<bool> begin_tls(std::string version, Answer* trouble);
  net::Awaitable<void> end();
  net::Awaitable<Answer> ask(std::string line);

  net::Awaitable<void> first();
  net::Awaitable<void> inside();
  net::Awaitable<void> as_stranger(Stranger* stranger, bool in_clear);
  net::Awaitable<void> commands();
  net::Awaitable<void> versions();
  net::Awaitable<void> inject();
  net::Awaitable<void> tricks();
  net::Awaitable<bool> one_trick(TrickTried* tried);

  Result<std::shared_ptr<const tls::ClientContext>> context(std::string version) const;
  std::string recipient_here() const;
  std::string own_name() const;

  net::Loop& loop_;
  LookOptions options_;
  PortSeen seen_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<smtp::ClientSession> session_;
  bool shaking_ = false;  // a TLS handshake was begun
  bool alive_ = false;    // the session's replies can be believed, and more can be asked
};

net::Awaitable<PortSeen> Look::run() {
  co_await first();
  if (seen_.unreachable || !seen_.greeting.good()) co_return std::move(seen_);
  co_await inside();
  if (options_.brief) co_return std::move(seen_);
  if (!place().only_relaying) {
    if (seen_.verdict) co_await versions();
    if (has_starttls() && !place().implicit_tls) co_await inject();
  }
  // Where the configuration lets us relay, that we can says nothing of others.
  if (!place().relays_for_us) co_await tricks();
  co_return std::move(seen_);
}

Result<std::shared_ptr<const tls::ClientContext>> Look::context(std::string version) const {
  tls::PeerPolicy policy;
  policy.name = place().name;
  policy.ca_file = options_.ca_file;
  policy.only_version = std::move(version);
  auto made = tls::ClientContext::make(std::move(policy));
  if (!made) return std::unexpected(made.error());
  return std::shared_ptr<const tls::ClientContext>(std::move(*made));
}

std::string Look::recipient_here() const {
  return place().local_recipient.empty() ? "postmaster" : place().local_recipient;
}

// A connection to an address of this machine comes from that address. Our own name would be told from a stranger's: who
// greets a server with its own name is refused by some.
std::string Look::own_name() const {
  if (!options_.hostname.empty()) return options_.hostname;
  const std::string& from = place().source.empty() ? place().address : place().source;
  return (from.find(':') != std::string::npos ? "[IPv6:" : "[") + from + "]";  // RFC 5321 section 4.1.3
}

net::Awaitable<bool> Look::open(Secure secure, std::string version, Answer* trouble) {
  alive_ = shaking_ = false;
  session_.reset();
  stream_.reset();
  net::Endpoint to{place().address, place().port};
  auto connected = co_await net::connect(loop_, to, std::min(kConnect, options_.patience), place().source);
  if (!connected) {
    if (!seen_.greeting.asked()) seen_.unreachable = connected.error().kind;
    *trouble = {0, printable(connected.error().text, 300)};
    co_return false;
  }
  stream_ = std::move(*connected);
  if (place().proxy) {
    stream_->expires_after(options_.patience);
    (void)co_await stream_->write("PROXY UNKNOWN\r\n");  // a failure is seen by what reads next
  }
  session_ = std::make_unique<smtp::ClientSession>(*stream_, own_name(), timeouts(options_.patience));
  if (options_.transcript) session_->set_transcript(options_.transcript);
  alive_ = true;
  if (place().implicit_tls) {
    bool secured = co_await begin_tls(version, trouble);
    if (!secured) co_return false;
  }
  auto greeted = co_await session_->greet();
  if (!seen_.greeting.good()) seen_.greeting = answer_of(greeted);
  if (!greeted) {
    alive_ = false;
    *trouble = answer_of(greeted);
    co_return false;
  }
  auto hello = co_await session_->ehlo();
  if (hello && secure == Secure::kYes && !place().implicit_tls) {
    bool secured = co_await begin_tls(version, trouble);
    if (!secured) co_return false;
    hello = co_await session_->ehlo();  // RFC 3207 section 4.2
  }
  if (!hello) {
    alive_ = false;
    *trouble = answer_of(hello.error());
  }
  co_return hello.has_value();
}

net::Awaitable<bool> Look::begin_tls(std::string version, Answer* trouble) {
  auto made = context(std::move(version));
  if (!made) {
    alive_ = false;
    *trouble = {0, printable(made.error().text, 300)};
    co_return false;
  }
  if (place().implicit_tls) {
    shaking_ = true;
    stream_->expires_after(options_.patience);
    Status secured = co_await stream_->start_tls_client(*made);
    if (!secured) *trouble = {0, printable(secured.error().text, 300)};
    alive_ = secured.has_value();
  } else {
    auto secured = co_await session_->starttls(*made);
    if (!secured) *trouble = answer_of(secured.error());
    shaking_ = secured || trouble->code == 0;
    alive_ = secured.has_value();
  }
  co_return alive_;
}

net::Awaitable<void> Look::end() {
  if (session_ && alive_) co_await session_->quit();
  alive_ = false;
}

net::Awaitable<Answer> Look::ask(std::string line) {
  if (!alive_) co_return Answer{};
  auto step = co_await session_->command(Phase::kMail, std::move(line), options_.patience);
  Answer answer = answer_of(step);
  // RFC 5321 section 3.8: after 421 the connection is closed.
  if (answer.code == 0 || answer.code == 421) alive_ = false;
  co_return answer;
}

net::Awaitable<void> Look::first() {
  Answer trouble;
  bool opened = co_await open(Secure::kNo, {}, &trouble);
  if (!opened) {
    (seen_.unreachable ? seen_.connect : seen_.broken) = trouble;
    co_return;
  }
  Stranger* stranger = place().implicit_tls ? &seen_.in_tls : &seen_.in_clear;
  if (place().implicit_tls) seen_.verdict = stream_->verdict();
  co_await as_stranger(stranger, !place().implicit_tls);
  if (!place().only_relaying) co_await commands();
  co_await end();
}

net::Awaitable<void> Look::inside() {
  if (place().implicit_tls || !has_starttls()) co_return;
  bool opened = co_await open(Secure::kYes, {}, &seen_.tls);
  if (!opened) co_return;
  seen_.verdict = stream_->verdict();
  co_await as_stranger(&seen_.in_tls, false);
  co_await end();
}

net::Awaitable<void> Look::as_stranger(Stranger* stranger, bool in_clear) {
  stranger->tried = true;
  stranger->capabilities = session_->capabilities();
  if (in_clear && !place().only_relaying) {
    // No name and no password: RFC 4954 section 4, the server would now ask for them with 334.
    stranger->auth = co_await ask("AUTH PLAIN");
    if (stranger->auth.code == 334) {
      Answer cancelled = co_await ask("*");
      (void)cancelled;
    }
  }
  stranger->mail = co_await ask("MAIL FROM:<" + options_.sender + ">");
  if (!stranger->mail.good()) co_return;
  if (!place().relays_for_us) stranger->away = co_await ask("RCPT TO:<" + options_.away + ">");
  std::string here = recipient_here();
  stranger->local = co_await ask("RCPT TO:<" + here + ">");
  if (!options_.our_domain.empty()) {
    stranger->unknown = co_await ask(fmt::format("RCPT TO:<{}@{}>", kNobody, options_.our_domain));
  }
  Answer reset = co_await ask("RSET");
  (void)reset;
}

net::Awaitable<void> Look::commands() {
  seen_.vrfy_known = co_await ask("VRFY postmaster");
  seen_.vrfy_unknown = co_await ask(std::string("VRFY ") + kNobody);
  seen_.expn = co_await ask("EXPN postmaster");
  std::string domain = options_.our_domain.empty() ? "localhost" : options_.our_domain;
  seen_.etrn = co_await ask("ETRN " + domain);
}

// Each version alone, each on a connection of its own.
net::Awaitable<void> Look::versions() {
  for (const char* version : {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}) {
    Answer trouble;
    std::string one = version;
    bool opened = co_await open(Secure::kYes, std::move(one), &trouble);
    const bool taken = stream_ && stream_->is_tls() && (opened || stream_->verdict().version == version);
    const bool known = seen_.verdict->version == version;
    // Who hangs up before TLS, or has enough of us, has said nothing about the version.
    if (taken || known || shaking_) seen_.versions.push_back({version, taken || known});
    co_await end();
  }
}

// CVE-2011-0411: a command in the clear right behind STARTTLS, where somebody in between could have put it.
net::Awaitable<void> Look::inject() {
  Answer trouble;
  bool opened = co_await open(Secure::kNo, {}, &trouble);
  auto made = context({});
  if (!opened || !made) co_return;
  stream_->expires_after(options_.patience);
  Status written = co_await stream_->write("STARTTLS\r\nEHLO injected.invalid\r\n");
  auto first =
      written ? co_await stream_->read_line(4096, 65536) : Result<std::string_view>(std::unexpected(written.error()));
  if (!first || !first->starts_with("220")) {
    seen_.injected = Injected::kRefused;
    stream_->close();
    co_return;
  }
  seen_.injected = Injected::kForgotten;
  stream_->drop_buffered();
  Status secured = co_await stream_->start_tls_client(*made);
  if (!secured) {
    seen_.injected = Injected::kRefused;  // what it sends next is plain, or it is gone
    co_return;
  }
  stream_->expires_after(kInjectedAnswer);
  auto answered = co_await stream_->read_line(4096, 65536);
  if (answered) seen_.injected = answered->starts_with("250") ? Injected::kBelieved : Injected::kRefused;
  if (!answered && answered.error().kind == ErrorKind::kClosed) seen_.injected = Injected::kRefused;
  stream_->close();
}

net::Awaitable<void> Look::tricks() {
  const smtp::Capabilities& said = place().implicit_tls ? seen_.in_tls.capabilities : seen_.in_clear.capabilities;
  TrickWords words;
  words.our_domain = options_.our_domain;
  words.our_name = said.host.empty() ? options_.our_domain : printable(said.host, 255);
  if (words.our_name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") !=
      std::string::npos)
    words.our_name = options_.our_domain;
  if (words.our_domain.empty()) words.our_domain = words.our_name;
  words.our_address = place().address;
  words.away = options_.away;
  words.sender = options_.sender;
  // What is behind TLS is what users and other servers meet; some ports say nothing in the clear.
  const Secure secure = seen_.verdict ? Secure::kYes : Secure::kNo;
  std::size_t in_session = 0;
  int failures = 0;
  for (Trick& trick : relay_tricks(words)) {
    TrickTried tried{std::move(trick), {}, {}};
    for (bool whole = false; !whole && failures < kMostFailures;) {
      if (!alive_ || in_session >= kTricksASession) {
        co_await end();
        Answer trouble;
        in_session = 0;
        bool opened = co_await open(secure, {}, &trouble);
        if (!opened) {
          ++failures;
          continue;
        }
      }
      ++in_session;
      whole = co_await one_trick(&tried);
      failures = whole ? 0 : failures + 1;
    }
    if (failures >= kMostFailures) {
      seen_.tricks_cut_short = true;
      break;
    }
    seen_.tricks.push_back(std::move(tried));
  }
  co_await end();
}

// False: the connection ended under it, and it has to be tried again.
net::Awaitable<bool> Look::one_trick(TrickTried* tried) {
  tried->recipient = {};  // of the try before
  tried->mail = co_await ask("MAIL FROM:" + tried->trick.sender);
  if (tried->mail.good()) tried->recipient = co_await ask("RCPT TO:" + tried->trick.recipient);
  const Answer& last = tried->recipient.asked() ? tried->recipient : tried->mail;
  // A refusal that closes (554, 421 at the limit of errors) is an answer all the same.
  if (last.code == 0 || last.code == 421) co_return false;
  if (alive_ && tried->mail.good()) {
    Answer reset = co_await ask("RSET");
    (void)reset;
  }
  co_return true;
}

}  // namespace

std::string Place::text() const {
  std::string out = net::Endpoint{address, port}.text();
  if (!listener.empty() && listener != out) out = listener + " " + out;
  if (!source.empty()) out += " <- " + source;
  return out;
}

net::Awaitable<PortSeen> look(net::Loop& loop, Place place, LookOptions options) {
  Look one(loop, std::move(place), std::move(options));
  co_return co_await one.run();
}

}  // namespace sidegate::doctor
