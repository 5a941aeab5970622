// Replies, collected until the client waits for them; refusals that are the session's own, and what is counted.
#include <array>

#include "base/text.h"
#include "smtp/server_session.h"

namespace sidegate::smtp {
namespace {

constexpr std::size_t kIdleReply = 128;

}  // namespace

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
