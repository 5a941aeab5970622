#include "smtp/server_session.h"

#include <algorithm>
#include <new>

#include "base/text.h"

namespace sidegate::smtp {
namespace {

constexpr std::size_t kMaxUnsent = 16 * 1024;  // replies collected before they are written even in a pipelined group

// What extensions add to the longest MAIL and RCPT: SIZE 26 (RFC 1870), BODY 17 (RFC 6152), SMTPUTF8 10 (RFC 6531),
// REQUIRETLS 12 (RFC 8689), RET and ENVID 9 + 107 (RFC 3461), AUTH 500 (RFC 4954 section 3); NOTIFY 30 and ORCPT 507
// (RFC 3461). The AUTH command takes 12288 in all (RFC 4954 section 4).
constexpr unsigned kMailExtra = 26 + 17 + 10 + 12 + 9 + 107 + 500;
constexpr unsigned kRcptExtra = 30 + 507;
constexpr unsigned kAuthExtra = 12288 - 512;
constexpr unsigned kXclientExtra = 2560;  // all its attributes in one command, values of 255 octets in xtext

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

}  // namespace sidegate::smtp
