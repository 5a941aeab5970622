// What a server session asks of the room above it (intake implements it). One Receiver belongs to one session and is
// called by its coroutine only, in the order of the dialogue. Replies are sent as they are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/mailbox.h"
#include "mail/reply.h"
#include "net/stream.h"

namespace sidegate::smtp {

struct MailCommand {  // parsed MAIL (RFC 5321 section 4.1.1.2, 1870, 3461, 6152, 6531, 8689)
  mail::Path path;
  std::uint64_t size = 0;  // SIZE=, 0: not given
  mail::BodyType body = mail::BodyType::kUnspecified;
  mail::Ret ret = mail::Ret::kUnspecified;
  std::string envid;
  bool smtputf8 = false;
  bool requiretls = false;  // RFC 8689 section 3
  bool has_auth = false;    // AUTH=, whatever it says (RFC 4954 section 5)
};

struct RcptCommand {  // parsed RCPT (RFC 5321 section 4.1.1.3, 3461)
  mail::Path path;
  mail::Notify notify;
  std::string orcpt;
};

// A client's certificate, where the handshake has verified it.
struct ClientCertificate {
  bool verified = false;
  std::string subject;
  std::vector<std::string> names;  // mail addresses and DNS names in it; empty unless verified (RFC 4422 appendix A)
  std::string fingerprint;         // "sha256:<hex>" of any that was shown
};

struct TlsFacts {               // of the handshake
  std::string summary;          // for the trace field
  std::string version, cipher;  // "TLSv1.3", "TLS_AES_256_GCM_SHA384"
  int bits = 0;                 // of the cipher
  ClientCertificate certificate;
};

struct SessionInfo {  // grows as the dialogue goes on
  net::Peer peer;
  std::string listener;
  std::string client_name;   // of the peer's address, leads back to it; empty: unknown
  std::string client_ptr;    // what the address leads to, believed or not
  bool may_xclient = false;  // the peer is a listed front, which has not said yet who the client is
  Duration quiet{};          // so long the client has to be silent before it is greeted; 0: no matter
  bool spoke_early = false;  // it was not
  std::string helo;
  bool esmtp = false;
  bool tls = false;
  std::shared_ptr<const TlsFacts> tls_facts;  // null without TLS: an idle plain session stays small
  std::string user;                           // authenticated identity
  bool authenticated() const { return !user.empty(); }
  std::string_view mechanism;  // by which it was; of auth::server_mechanisms()
};

struct ContentFacts {              // of a whole message, noted while it was read
  bool eight_bit = false;          // some octet >= 0x80
  std::uint32_t longest_line = 0;  // octets without CRLF
};

struct Refusal {              // what a client was refused, for the log
  std::string_view command;   // "MAIL", "RCPT", "DATA" or "BDAT"
  std::string_view from, to;  // as given; empty: not known or not of this command
  const mail::Reply& reply;
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  // The largest message that some way out takes, where this listener's mail leaves; 0: no bound is known.
  virtual std::uint64_t largest_that_leaves() const { return 0; }
  // Before connected(): client_name and client_ptr are filled in, where they can be known in time, and quiet is set.
  // After XCLIENT both again, for who the client is now.
  virtual net::Awaitable<void> meet(SessionInfo& session) { co_return; }
  // Before the greeting: 220 goes on; 421 or 554 is sent and ends the session.
  virtual net::Awaitable<mail::Reply> connected(const SessionInfo& session) = 0;
  // AUTH has succeeded, session.user says who; a refusal (421) is sent in its place and ends the session. Never waits.
  virtual std::optional<mail::Reply> logged_in(const SessionInfo& session) { return std::nullopt; }
  // Whether hello() and unknown() are to be called.
  virtual bool listens_to_all() const { return false; }
  // EHLO or HELO (session.helo), again after STARTTLS: the refusal, or nothing.
  virtual net::Awaitable<std::optional<mail::Reply>> hello(const SessionInfo& session) { co_return std::nullopt; }
  // A command that we do not know: what to say instead of the usual 500, or nothing.
  virtual net::Awaitable<std::optional<mail::Reply>> unknown(const SessionInfo& session, std::string line) {
    co_return std::nullopt;
  }
  virtual net::Awaitable<mail::Reply> mail(const SessionInfo& session, MailCommand command) = 0;
  virtual net::Awaitable<mail::Reply> rcpt(const SessionInfo& session, RcptCommand command) = 0;
  // DATA or the first BDAT: positive (its text is not sent) or the refusal to send.
  virtual net::Awaitable<mail::Reply> begin(const SessionInfo& session) = 0;
  // Content in order, dots removed, CRLF lines: back-pressure is in the waiting. An error is remembered by the
  // receiver; the session reads on to the end of the message and asks end() for the reply.
  virtual net::Awaitable<void> content(std::string_view bytes) = 0;
  // The message is whole and without fault: the reply to send. 250 only when it is durable. Whatever the reply, the
  // transaction is over.
  virtual net::Awaitable<mail::Reply> end(const SessionInfo& session, const ContentFacts& facts) = 0;
  // TLS stands (what it came to is in session and verdict), or the handshake failed and the connection is over. Never
  // waits.
  virtual void secured(const SessionInfo& session, const tls::Verdict& verdict) {}
  virtual void not_secured(const SessionInfo& session, const Error& error) {}
  // RSET, EHLO, a fault in the content (bare LF, too large), a lost peer: forget the transaction. Never waits; may be
  // called when there is none, and when there is no memory: does not throw.
  virtual void abort() noexcept = 0;
  // The server ends: what is waited for, but for the store, ends at once. Never waits.
  virtual void cancel() {}
  // RSET, after abort(): who listens to all may tell others of it.
  virtual net::Awaitable<void> reset() { co_return; }
  // MAIL, RCPT or content was answered 4yz or 5yz, by the receiver itself or by the session. Never waits.
  virtual void refused(const SessionInfo& session, const Refusal& refusal) {}
};

}  // namespace sidegate::smtp
