// The server's side of one connection, from greeting to close (RFC 5321, 1870, 2034, 2920, 3030, 3207, 3461, 4954,
// 6152, 6531). It knows the dialogue and its limits; what may be taken and where it goes is the Receiver's.
//
// server_session.cc reads top to bottom: verb table, run(), handlers in the order of a dialogue. server_content.cc has
// DATA and BDAT, server_auth.cc AUTH. One thread, one coroutine; the stream, the receiver and the session itself
// outlive run().
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mail/reply.h"
#include "net/stream.h"
#include "smtp/authenticator.h"
#include "smtp/command.h"
#include "smtp/receiver.h"
#include "smtp/settings.h"
#include "smtp/transaction.h"

namespace sidegate::smtp {

struct XclientCommand;

class ServerSession {
 public:
  // tls: for STARTTLS, which is offered where settings say so and this is set.
  ServerSession(net::Stream& stream, Receiver& receiver, std::shared_ptr<const ServerSettings> settings,
                std::string listener, std::shared_ptr<const tls::ServerContext> tls = nullptr);
  ServerSession(const ServerSession&) = delete;
  ~ServerSession();

  // AUTH is offered where settings say so and this is set. Before run().
  void set_authenticator(Authenticator* authenticator) { authenticator_ = authenticator; }

  // Who the client is, as far as that was found out. Before run().
  void set_client(const SessionInfo& client) {
    info_.peer = client.peer;
    info_.client_name = client.client_name;
    info_.client_ptr = client.client_ptr;
    info_.may_xclient = client.may_xclient;
    info_.quiet = client.quiet;
  }

  net::Awaitable<void> run();

  // For the log, after run(): "ehlo=1 mail=1 rcpt=1/2 quit=1 commands=4/5" (accepted/all where that differs), how the
  // session ended ("quit", "lost", "timeout", "closed" by us, "no memory"), and after which command.
  std::string commands() const;
  std::string_view end() const { return end_; }
  const SessionInfo& client() const { return info_; }
  std::string_view last_command() const;

  // On the session's thread. Ends with 421 4.3.2 as soon as no transaction is under way; `now`: also in the middle of
  // one (but never between a message's end and its reply).
  void shut_down(bool now = false);

 private:
  // Where the dialogue stands; a verb's row has the set of phases where it is legal.
  enum Phase : unsigned { kStart = 1, kGreeted = 2, kMail = 4, kRcpt = 8, kChunks = 16, kAny = 31 };
  struct Verb {
    std::string_view name;
    unsigned phases;
    net::Awaitable<void> (ServerSession::*handle)(std::string_view arguments);
    unsigned extra = 0;  // octets that extensions add to the longest command (RFC 5321 section 4.5.3.1.4)
  };
  static constexpr Duration kFarewellTimeout{5'000};  // for the last words
  static constexpr std::size_t kVerbCount = 21;
  static const Verb kVerbs[kVerbCount];
  static const Verb* find_verb(std::string_view name);

  net::Awaitable<void> converse();
  net::Awaitable<void> give_up();
  net::Awaitable<void> hear_silence();
  net::Awaitable<void> greet();
  net::Awaitable<void> next_command();
  net::Awaitable<void> dispatch(std::string_view line);
  net::Awaitable<bool> unknown_said(std::string line);
  void begin_hello(std::string name, bool esmtp);
  net::Awaitable<bool> hello_refused(std::string_view verb);

  net::Awaitable<void> ehlo(std::string_view arguments);
  net::Awaitable<void> helo(std::string_view arguments);
  net::Awaitable<void> starttls(std::string_view arguments);
  net::Awaitable<void> xclient(std::string_view arguments);
  net::Awaitable<void> meet_again(const XclientCommand& said);
  void hear_who_speaks(const Verb* verb);
  bool may_xclient() const;
  net::Awaitable<void> auth(std::string_view arguments);
  net::Awaitable<void> mail(std::string_view arguments);
  net::Awaitable<void> rcpt(std::string_view arguments);
  net::Awaitable<void> data(std::string_view arguments);
  net::Awaitable<void> bdat(std::string_view arguments);
  net::Awaitable<void> rset(std::string_view arguments);
  net::Awaitable<void> noop(std::string_view arguments);
  net::Awaitable<void> vrfy(std::string_view arguments);
  net::Awaitable<void> help(std::string_view arguments);
  net::Awaitable<void> quit(std::string_view arguments);
  net::Awaitable<void> not_offered(std::string_view arguments);

  // AUTH (server_auth.cc).
  bool auth_offered() const;
  std::vector<std::string_view> auth_mechanisms() const;
  std::string certificate_user() const;
  void net_binding(auth::ServerCircumstances& circumstances) const;
  net::Awaitable<void> auth_with(std::string_view arguments);
  net::Awaitable<void> auth_exchange(std::string_view name, auth::ServerMechanism& mechanism, auth::ServerStep step);
  net::Awaitable<std::optional<std::string>> auth_answer(LoginTry attempt, std::string user, std::string challenge);
  net::Awaitable<void> auth_done(LoginTry attempt, std::string asked, std::string user);
  net::Awaitable<void> auth_not_now(LoginTry attempt, std::string user, Error error);

  // Content (server_content.cc).
  net::Awaitable<std::optional<mail::Reply>> begin_content();
  net::Awaitable<bool> read_dotted(ContentFault& fault, ContentFacts& facts);
  net::Awaitable<bool> read_chunk(BdatReader& reader, ContentPace& pace);
  net::Awaitable<Result<std::string_view>> read_content(ContentPace& pace);
  void lost_in_content(std::string_view command, const Error& error, const ContentPace& pace);
  ContentPace content_pace() const;
  net::Awaitable<std::optional<mail::Reply>> admit_chunk(const BdatCommand& command);
  net::Awaitable<void> end_message(std::string_view command, ContentFault fault, ContentFacts facts);
  bool keeps(std::string_view content, ContentFault fault);
  bool over_size(std::uint64_t octets) const;
  bool endless(std::uint64_t octets) const;
  mail::Reply content_refusal(ContentFault fault) const;
  std::size_t max_line() const;

  // Replies: collected, and written in one go before the session waits (RFC 2920 section 3.2).
  void say(std::string_view line);  // "250 2.0.0 Ok": one line, code first
  void say(const mail::Reply& reply);
  // The reply to a command of a transaction; a refusal is told to the receiver too. to: the recipient, as given.
  void answer(std::string_view command, const mail::Reply& reply, std::string_view from = {}, std::string_view to = {});
  void count(int code);
  bool refuse_in_phase(const Verb& verb);
  static bool is_http(std::string_view verb);
  bool idle_command();
  void say_and_close(std::string_view line);
  void lost(const Error& error);
  void forget_transaction();
  bool starttls_offered() const;
  void note_tls();
  bool in_transaction() const { return (phase_ & (kMail | kRcpt | kChunks)) != 0; }
  net::Awaitable<bool> flush();

  net::Stream& stream_;
  Receiver& receiver_;
  std::shared_ptr<const ServerSettings> settings_;
  std::shared_ptr<const tls::ServerContext> tls_;
  Authenticator* authenticator_ = nullptr;
  SessionInfo info_;
  std::string out_;
  std::optional<Transaction> transaction_;
  unsigned phase_ = kStart;
  std::uint32_t errors_ = 0;
  std::uint32_t idle_commands_ = 0;
  bool open_ = true;
  bool waiting_ = false;  // for a command
  bool shutting_down_ = false;
  bool verified_ = false;  // by a back end, in the AUTH exchange under way

  struct Count {
    std::uint32_t accepted = 0, all = 0;
  };
  void note_command();
  std::array<Count, kVerbCount + 1> counts_{};  // as kVerbs; the last is for unknown ones
  std::uint8_t last_verb_ = kNoVerb;            // place in counts_
  static constexpr std::uint8_t kNoVerb = 255;
  bool stranger_speaks_ = false;  // behind a front, which may not tell us any more who it is
  int last_code_ = 0;             // of the reply to the command in hand
  std::string_view end_ = "closed";
  std::unique_ptr<XclientCommand> said_of_client_;  // by XCLIENT, as long as no other command has followed
};

}  // namespace sidegate::smtp
