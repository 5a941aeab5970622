#include "smtp/server_session.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/text.h"
#include "smtp/ehlo_answer.h"
#include "smtp/xclient.h"

namespace sidegate::smtp {
namespace {

constexpr std::size_t kMaxUnsent = 16 * 1024;  // replies collected before they are written even in a pipelined group
constexpr std::size_t kIdleReply = 128;
constexpr std::size_t kLongestHelo = 255;
constexpr Duration kHandshakeTimeout = 1min;
constexpr Duration kFarewellTimeout = 5s;

// What extensions add to the longest MAIL and RCPT: SIZE 26 (RFC 1870), BODY 17 (RFC 6152), SMTPUTF8 10 (RFC 6531),
// REQUIRETLS 12 (RFC 8689), RET and ENVID 9 + 107 (RFC 3461), AUTH 500 (RFC 4954 section 3); NOTIFY 30 and ORCPT 507
// (RFC 3461). The AUTH command takes 12288 in all (RFC 4954 section 4).
constexpr unsigned kMailExtra = 26 + 17 + 10 + 12 + 9 + 107 + 500;
constexpr unsigned kRcptExtra = 30 + 507;
constexpr unsigned kAuthExtra = 12288 - 512;
constexpr unsigned kXclientExtra = 2560;  // all its attributes in one command, values of 255 octets in xtext

// Of what is no name only as much is kept as people want to read, and as UTF-8.
std::string kept_helo(std::string_view name) {
  std::string kept(name.substr(0, kLongestHelo));
  if (name.size() > kLongestHelo) kept.replace(kLongestHelo - 3, 3, "...");
  if (is_utf8(kept)) return kept;
  for (char& c : kept) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  return kept;
}

}  // namespace

// Verb, phases where it is legal, handler. The table answers 503; handlers never check the phase. BDAT is legal
// everywhere because its octets follow whatever we think of it (RFC 3030 section 2), AUTH because 502 comes before 503.
const ServerSession::Verb ServerSession::kVerbs[kVerbCount] = {
    {"EHLO", kAny, &ServerSession::ehlo},
    {"HELO", kAny, &ServerSession::helo},
    {"STARTTLS", kStart | kGreeted, &ServerSession::starttls},
    {"MAIL", kGreeted, &ServerSession::mail, kMailExtra},
    {"RCPT", kMail | kRcpt, &ServerSession::rcpt, kRcptExtra},
    {"DATA", kMail | kRcpt, &ServerSession::data},
    {"BDAT", kAny, &ServerSession::bdat},
    {"RSET", kAny, &ServerSession::rset},
    {"NOOP", kAny, &ServerSession::noop},
    {"VRFY", kAny, &ServerSession::vrfy, 10},
    {"HELP", kAny, &ServerSession::help},
    {"QUIT", kAny, &ServerSession::quit},
    {"AUTH", kAny, &ServerSession::auth, kAuthExtra},
    {"XCLIENT", kStart | kGreeted, &ServerSession::xclient, kXclientExtra},
    {"EXPN", kAny, &ServerSession::not_offered, 10},
    {"ETRN", kAny, &ServerSession::not_offered},
    {"ATRN", kAny, &ServerSession::not_offered},
    {"TURN", kAny, &ServerSession::not_offered},
    {"SEND", kAny, &ServerSession::not_offered},
    {"SOML", kAny, &ServerSession::not_offered},
    {"SAML", kAny, &ServerSession::not_offered},
};

const ServerSession::Verb* ServerSession::find_verb(std::string_view name) {
  for (const Verb& verb : kVerbs) {
    if (iequals(verb.name, name)) return &verb;
  }
  return nullptr;
}

ServerSession::ServerSession(net::Stream& stream, Receiver& receiver, std::shared_ptr<const ServerSettings> settings,
                             std::string listener, std::shared_ptr<const tls::ServerContext> tls)
    : stream_(stream), receiver_(receiver), settings_(std::move(settings)), tls_(std::move(tls)) {
  info_.peer = stream.peer();
  info_.listener = std::move(listener);
  info_.tls = stream.is_tls();
  if (info_.tls) note_tls();
}

ServerSession::~ServerSession() = default;

net::Awaitable<void> ServerSession::run() {
  bool starved = false;
  try {
    co_await converse();
  } catch (const std::bad_alloc&) {
    starved = true;
  }
  if (starved) co_await give_up();
  stream_.close();
}

net::Awaitable<void> ServerSession::converse() {
  if (info_.tls) receiver_.secured(info_, stream_.verdict());  // from the first octet (RFC 8314)
  if (info_.quiet > Duration(0) && !shutting_down_) co_await hear_silence();
  if (open_) co_await greet();
  while (open_) co_await next_command();
  receiver_.abort();  // nothing of what was under way is kept
  if (!out_.empty()) co_await flush();
}

// No memory: this session ends, and gives back what it holds; the others go on. What was said before stands (a 250
// after a message above all); a line that was being written is taken back.
net::Awaitable<void> ServerSession::give_up() {
  open_ = false;
  end_ = "no memory";
  receiver_.abort();
  transaction_.reset();
  const std::size_t whole = out_.rfind("\r\n");
  out_.resize(whole == std::string::npos ? 0 : whole + 2);
  try {
    stream_.expires_after(kFarewellTimeout);
    // RFC 5321 section 3.8: 421 may answer any command.
    co_await stream_.write2(out_, "421 4.3.0 Out of memory, try again later\r\n");
  } catch (const std::bad_alloc&) {
    end_ = "no memory, and none to say so";
  }
}

// RFC 5321 section 4.3.1: the client waits for the greeting. Who does not is no mail server; what it said stays to be
// read.
net::Awaitable<void> ServerSession::hear_silence() {
  stream_.expires_after(info_.quiet);
  waiting_ = true;
  auto heard = co_await stream_.read_some();
  waiting_ = false;
  info_.spoke_early = heard.has_value();
  if (!heard && (heard.error().kind != ErrorKind::kTimeout || shutting_down_)) lost(heard.error());
}

net::Awaitable<void> ServerSession::greet() {
  mail::Reply reply = co_await receiver_.connected(info_);
  if (!reply.positive()) {
    say(reply);
    open_ = false;
    co_return;
  }
  // RFC 5321 section 4.2: the host's name first; no software and no version.
  say("220 " + settings_->hostname + " ESMTP");
}

net::Awaitable<void> ServerSession::next_command() {
  if (shutting_down_ && !in_transaction()) {
    say_and_close("421 4.3.2 Service is shutting down");
    co_return;
  }
  // RFC 2920 section 3.2: replies go out together, but before we wait.
  bool must_wait = !stream_.has_buffered_line() || out_.size() > kMaxUnsent;
  if (must_wait && !out_.empty() && !co_await flush()) co_return;
  // Between two chunks a message is under way: its pace goes on.
  ContentPace* pace = phase_ == kChunks ? &*transaction_->pace : nullptr;
  const SteadyTime began = pace ? stream_.now() : SteadyTime();
  stream_.expires_after(pace && pace->slow() ? std::min(settings_->idle_timeout, pace->left())
                                             : settings_->idle_timeout);
  waiting_ = true;
  // RFC 4954 section 4: AUTH with its initial response may be longer than any other command.
  const std::size_t limit = std::max<std::size_t>(settings_->refuse_command, auth_offered() ? auth::kMaxExchange : 0);
  auto line = co_await stream_.read_line(limit, settings_->fatal_command);
  waiting_ = false;
  if (pace) pace->came(0, stream_.now() - began);
  if (line) {
    last_code_ = 0;
    co_await dispatch(*line);
    note_command();
  } else if (line.error().kind == ErrorKind::kTooLarge) {
    hear_who_speaks(nullptr);
    say("500 5.5.2 Command line is too long");
  } else {
    lost(line.error());
  }
  if (open_ && errors_ >= settings_->max_errors) say_and_close("421 4.7.0 Too many errors");
}

net::Awaitable<void> ServerSession::dispatch(std::string_view line) {
  CommandLine command = split_command(line);
  const Verb* verb = find_verb(command.verb);
  hear_who_speaks(verb);
  last_verb_ = static_cast<std::uint8_t>(verb ? verb - kVerbs : kVerbCount);
  if (!verb && is_http(command.verb)) {
    say_and_close("421 4.7.0 This is an SMTP server");
    co_return;
  }
  if (!verb && command.verb == "PROXY") {  // what it says is nothing to go by, nor is what follows it
    say_and_close("421 4.7.0 The PROXY protocol is for listed addresses");
    co_return;
  }
  std::string_view fault;
  bool unknown = false;
  if (!stream_.line_had_crlf()) {
    fault = "500 5.5.2 A command ends with CR LF, not with LF alone (RFC 5321 section 2.3.8)";
  } else if (has_control(line)) {
    fault = "500 5.5.2 Control character in a command";
  } else if (!verb) {
    unknown = true;
    fault = "500 5.5.2 Command not recognised";
  } else if (line.size() + 2 > settings_->max_command + verb->extra) {
    fault = "500 5.5.2 Command line is too long";  // RFC 5321 section 4.5.3.1.9
  }
  if (!fault.empty()) {
    if (unknown && receiver_.listens_to_all() && co_await unknown_said(std::string(line))) co_return;
    say(fault);
    // Where the octets of a refused BDAT end is unknown: nothing behind it may be read as a command.
    if (istarts_with(command.verb, "BDAT")) open_ = false;
    co_return;
  }
  if (refuse_in_phase(*verb)) co_return;
  co_await (this->*verb->handle)(command.arguments);
}

// False: nobody has anything else to say to it than we.
net::Awaitable<bool> ServerSession::unknown_said(std::string line) {
  auto reply = co_await receiver_.unknown(info_, std::move(line));
  if (reply) say(*reply);
  co_return reply.has_value();
}

// --- Hello

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

// --- The transaction: MAIL, RCPT; DATA and BDAT are in server_content.cc

net::Awaitable<void> ServerSession::mail(std::string_view arguments) {
  auto command = parse_mail(arguments);
  if (!command) {
    answer("MAIL", command.error(), attempted_path(arguments));
    co_return;
  }
  std::string from = command->path.mailbox.text();
  // RFC 4954 section 5: the parameter belongs to the extension, which only some sessions are offered.
  if (command->has_auth && !auth_offered() && !info_.authenticated()) {
    answer("MAIL", mail::Reply(555, {5, 5, 4}, "Parameter not recognised: AUTH"), from);
    co_return;
  }
  // RFC 8689 section 3: only inside TLS, where alone it is offered; what is asked for here could not be kept any more.
  if (command->requiretls && !info_.tls) {
    answer("MAIL", mail::Reply(530, {5, 7, 10}, "REQUIRETLS needs TLS: issue STARTTLS first"), from);
    co_return;
  }
  if (over_size(command->size)) {
    answer("MAIL", content_refusal(ContentFault::kNone), from);  // RFC 1870 section 6.1
    co_return;
  }
  bool smtputf8 = command->smtputf8;
  mail::Reply reply = co_await receiver_.mail(info_, std::move(*command));
  answer("MAIL", reply, from);
  if (!reply.positive()) co_return;
  transaction_.emplace();
  transaction_->reverse_path = std::move(from);
  transaction_->smtputf8 = smtputf8;
  phase_ = kMail;
}

net::Awaitable<void> ServerSession::rcpt(std::string_view arguments) {
  Transaction& t = *transaction_;
  auto command = parse_rcpt(arguments, t.smtputf8);
  if (!command) {
    ++t.refused;
    answer("RCPT", command.error(), t.reverse_path, attempted_path(arguments));
    co_return;
  }
  std::string to = command->path.mailbox.text();
  if (t.accepted >= settings_->max_recipients) {
    // RFC 5321 section 4.5.3.1.10: the client sends the rest in another transaction.
    say("452 4.5.3 Too many recipients");
    co_return;
  }
  mail::Reply reply = co_await receiver_.rcpt(info_, std::move(*command));
  answer("RCPT", reply, t.reverse_path, to);
  if (reply.positive()) {
    ++t.accepted;
    phase_ = kRcpt;
    co_return;
  }
  ++t.refused;
  // A list with some bad addresses is no attack.
  bool harmless = t.accepted > 0 && t.refused <= settings_->max_recipients;
  if (reply.permanent() && harmless) --errors_;
}

// --- Anywhere

net::Awaitable<void> ServerSession::rset(std::string_view arguments) {
  if (!arguments.empty()) {
    say("501 5.5.4 RSET takes no parameter");  // RFC 5321 section 4.1.1.5
    co_return;
  }
  if (!idle_command()) co_return;
  forget_transaction();
  if (receiver_.listens_to_all()) co_await receiver_.reset();
  say("250 2.0.0 Ok");
}

net::Awaitable<void> ServerSession::noop(std::string_view) {
  if (idle_command()) say("250 2.0.0 Ok");
  co_return;
}

net::Awaitable<void> ServerSession::vrfy(std::string_view arguments) {
  if (!idle_command()) co_return;
  // RFC 5321 section 3.5.3 and 7.3: no answer that tells who exists.
  say(arguments.empty() ? "501 5.5.4 VRFY takes a name" : "252 2.5.0 Cannot verify, but will take mail and try");
}

net::Awaitable<void> ServerSession::help(std::string_view) {
  if (idle_command()) say("214 2.0.0 " + settings_->hostname + ": see RFC 5321");
  co_return;
}

net::Awaitable<void> ServerSession::quit(std::string_view arguments) {
  if (!arguments.empty()) {
    say("501 5.5.4 QUIT takes no parameter");
    co_return;
  }
  end_ = "quit";
  say_and_close("221 2.0.0 Bye");
}

net::Awaitable<void> ServerSession::not_offered(std::string_view) {
  say("502 5.5.1 Command is not offered here");
  co_return;
}

void ServerSession::shut_down(bool now) {
  shutting_down_ = true;
  if (now || !in_transaction()) receiver_.cancel();
  if (now || (waiting_ && !in_transaction())) stream_.cancel();
}

// --- Replies and refusals

bool ServerSession::refuse_in_phase(const Verb& verb) {
  if (verb.phases & phase_) return false;
  switch (phase_) {
    case kStart:
      say("503 5.5.1 Send EHLO or HELO first");
      break;
    case kGreeted:
      say("503 5.5.1 Send MAIL first");
      break;
    case kChunks:
      say("503 5.5.1 A message by BDAT is under way");
      break;
    default:
      say("503 5.5.1 A mail transaction is under way");
  }
  return true;
}

// A browser or a proxy made to talk to us by a third party: its next lines may be that party's commands.
bool ServerSession::is_http(std::string_view verb) {
  static constexpr std::array<std::string_view, 10> kHttp = {"GET",   "POST", "HEAD",    "PUT",     "DELETE",
                                                             "PATCH", "PRI",  "OPTIONS", "CONNECT", "TRACE"};
  for (std::string_view word : kHttp) {
    if (iequals(word, verb)) return true;
  }
  return false;
}

// NOOP, RSET, VRFY and HELP are free, up to a number between two messages.
bool ServerSession::idle_command() {
  if (++idle_commands_ <= settings_->max_idle_commands) return true;
  say_and_close("421 4.7.0 Too many commands without mail");
  return false;
}

void ServerSession::say(std::string_view line) {
  out_.append(line).append("\r\n");
  count((line[0] - '0') * 100);
}

void ServerSession::say(const mail::Reply& reply) {
  out_ += reply.wire();
  count(reply.code);
  if (reply.code == 421) open_ = false;  // RFC 5321 section 3.8
}

void ServerSession::answer(std::string_view command, const mail::Reply& reply, std::string_view from,
                           std::string_view to) {
  say(reply);
  if (!reply.positive()) receiver_.refused(info_, {command, from, to, reply});
}

void ServerSession::count(int code) {
  if (code >= 500) ++errors_;
  last_code_ = code;
}

void ServerSession::note_command() {
  Count& count = counts_[last_verb_];
  ++count.all;
  if (last_code_ >= 200 && last_code_ < 300) ++count.accepted;
}

std::string_view ServerSession::last_command() const {
  if (last_verb_ == kNoVerb) return "CONNECT";
  return last_verb_ < kVerbCount ? kVerbs[last_verb_].name : "UNKNOWN";
}

std::string ServerSession::commands() const {
  std::string text;
  auto add = [&text](std::string_view name, const Count& count) {
    if (count.all == 0) return;
    text.append(text.empty() ? "" : " ").append(name).append("=");
    if (count.accepted != count.all) text.append(std::to_string(count.accepted)).append("/");
    text.append(std::to_string(count.all));
  };
  Count sum;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    add(i < kVerbCount ? lower(kVerbs[i].name) : "unknown", counts_[i]);
    sum.accepted += counts_[i].accepted;
    sum.all += counts_[i].all;
  }
  add("commands", sum);
  return text.empty() ? "commands=0/0" : text;
}

void ServerSession::say_and_close(std::string_view line) {
  out_.append(line).append("\r\n");
  last_code_ = (line[0] - '0') * 100;
  open_ = false;
}

// The wait for the peer has failed. What can still be said is said (RFC 5321 section 3.8).
void ServerSession::lost(const Error& error) {
  open_ = false;
  last_code_ = 0;
  if (shutting_down_) {
    say_and_close("421 4.3.2 Service is shutting down");
  } else if (error.kind == ErrorKind::kTimeout) {
    end_ = "timeout";
    say_and_close("421 4.4.2 Timeout, closing");
  } else {
    end_ = "lost";
  }
}

void ServerSession::forget_transaction() {
  receiver_.abort();
  transaction_.reset();
  if (in_transaction()) phase_ = kGreeted;
}

net::Awaitable<bool> ServerSession::flush() {
  stream_.expires_after(open_ ? settings_->idle_timeout : kFarewellTimeout);
  // Should writing end by an exception, what may have been sent must not be sent again.
  std::string sending = std::move(out_);
  out_.clear();
  auto written = co_await stream_.write(sending);
  // An idle session holds no more than a usual reply needs.
  if (sending.capacity() <= kIdleReply) {
    out_ = std::move(sending);
    out_.clear();
  }
  if (!written) {
    open_ = false;
    if (end_ == "closed") end_ = "lost";
  }
  co_return written.has_value();
}

}  // namespace sidegate::smtp
