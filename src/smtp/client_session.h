// The client's side of one connection, in the order of a real dialogue: greet, ehlo, starttls, authenticate, send (many
// times), quit. It decides nothing about mail: it says what was answered, and where it broke. deliver/outcome.cc
// judges.
//
// Phases, deadlines (RFC 5321 section 4.5.3.2) and replies are all in here; every reply is bounded (mail::ReplyParser).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "auth/client.h"
#include "mail/reply.h"
#include "net/stream.h"

namespace sidegate::smtp {

enum class Phase : std::uint8_t {
  kResolve,
  kConnect,
  kGreeting,
  kEhlo,
  kStartTls,
  kTls,
  kAuth,
  kMail,
  kRcpt,
  kData,
  kContent,
  kFinal,
  kQuit
};
const char* name(Phase phase);  // "connect", "greeting", "ehlo", ...: stable words

struct ClientTimeouts {
  Duration greeting, helo, mail, rcpt, starttls, auth, data_init, data_block, data_done, quit;
};

struct Capabilities {   // of one EHLO answer
  std::string host;     // first word of the first line
  bool esmtp = false;   // false: HELO was used
  std::string refusal;  // then: what the server said to EHLO
  bool starttls = false, pipelining = false, chunking = false, eight_bit = false, smtputf8 = false, dsn = false,
       enhanced = false, requiretls = false;
  std::optional<std::uint64_t> size;  // SIZE with a number > 0
  std::vector<std::string> auth;      // upper case, from AUTH and the old AUTH= form
  std::vector<std::string> raw;       // keyword lines as sent
};
Capabilities parse_ehlo(const mail::Reply& reply);

// Why a step did not succeed: the peer's words, or ours.
struct Trouble {
  Phase phase = Phase::kGreeting;
  std::optional<mail::Reply> reply;  // the peer refused in so many words
  Error error;                       // otherwise: timeout, closed, protocol, tls, auth (text always set)
};
template <typename T>
using Step = std::expected<T, Trouble>;

// The message as it goes out: header (rewritten) first, then body chunks; may be asked twice (rewind).
class ContentSource {
 public:
  virtual ~ContentSource() = default;
  // The next piece, CRLF lines, not dot-stuffed; empty at the end. Valid until the next call.
  virtual net::Awaitable<Result<std::string_view>> next() = 0;
  virtual void rewind() = 0;
  virtual std::uint64_t size() const = 0;
};

struct OutgoingRecipient {
  std::string path;        // without brackets
  std::string parameters;  // " NOTIFY=... ORCPT=..." or empty
};
struct Transmission {
  std::string reverse_path;  // empty: <>
  std::string parameters;    // " SIZE=... BODY=8BITMIME ..." or empty
  std::vector<OutgoingRecipient> recipients;
  ContentSource* content = nullptr;
  bool bdat = false;  // CHUNKING offered, message small enough: MAIL, RCPT and BDAT LAST in one write
};
// A 421 is the connection's end and nobody's refusal: it stands in `broken` (with its reply) and nowhere else.
struct Transmitted {
  std::optional<mail::Reply> mail;
  std::vector<std::optional<mail::Reply>>
      recipients;                    // same order; nullopt: not asked or not answered, or MAIL was refused
  std::optional<mail::Reply> data;   // 354, or the refusal
  std::optional<mail::Reply> final;  // after the dot or BDAT LAST; never set when no recipient was accepted
  // LMTP: in place of `final`, one for each accepted recipient (same order as recipients, nullopt for the others and
  // for those that were not answered before the connection broke).
  std::vector<std::optional<mail::Reply>> finals;
  std::optional<Trouble> broken;  // the connection is of no further use
  bool uncertain = false;         // all content was sent and the final reply is missing
  bool usable = true;             // another message may follow on this connection
};

// One line per direction as it went over the wire, secrets masked: `relay test --transcript`.
using Transcript = std::function<void(char direction, std::string_view line)>;

class ClientSession {
 public:
  // stream stays the caller's. hostname: for EHLO.
  ClientSession(net::Stream& stream, std::string hostname, ClientTimeouts timeouts);
  void set_transcript(Transcript transcript);
  // RFC 2033: LHLO in EHLO's place, and after the content one reply for each accepted recipient.
  void speak_lmtp() { lmtp_ = true; }

  net::Awaitable<Step<mail::Reply>> greet();  // 220, anything else is Trouble with the reply
  net::Awaitable<Step<Capabilities>>
  ehlo();  // falls back to HELO on 5yz (RFC 5321 section 3.2); what was said to EHLO is kept
  // STARTTLS and the handshake; forgets the capabilities. Plaintext after the 220 is kProtocol ("injected"). The
  // certificate is not judged here: see stream.verdict().
  net::Awaitable<Step<mail::Reply>> starttls(std::shared_ptr<const tls::ClientContext> context);
  // Tries the mechanisms in order; a next one only if the server refused that mechanism (504, 534, or 535 whose text
  // says so), not on a wrong password. The Reply is the 235; *used names the mechanism.
  net::Awaitable<Step<mail::Reply>> authenticate(const std::vector<std::string>& mechanisms,
                                                 const auth::Credentials& credentials,
                                                 const auth::Circumstances& circumstances, std::string* used);
  // MAIL, RCPT... and DATA in one write where PIPELINING is offered (RFC 2920); nothing is sent across the final dot.
  net::Awaitable<Transmitted> send(const Transmission& transmission);
  net::Awaitable<void> quit();
  // One command and its reply, for `relay test` (MAIL FROM, RSET).
  net::Awaitable<Step<mail::Reply>> command(Phase phase, std::string line, Duration timeout);

  const Capabilities& capabilities() const { return capabilities_; }

 private:
  friend class ClientTransaction;  // client_transaction.cc: send() in steps

  // One whole reply under one deadline, so that a peer that sends an octet a minute ends like a silent one.
  net::Awaitable<Step<mail::Reply>> read_reply(Phase phase, Duration timeout);
  net::Awaitable<Step<mail::Reply>> exchange(Phase phase, std::string line, Duration timeout, std::string shown);
  net::Awaitable<Step<Capabilities>> helo(Trouble to_ehlo);
  net::Awaitable<Step<mail::Reply>> run_mechanism(auth::ClientMechanism& mechanism, std::optional<std::string> initial);
  net::Awaitable<Trouble> cancel_auth(Error why);
  // What the peer said before it was asked; nullopt: nothing, all is in step.
  net::Awaitable<std::optional<Trouble>> unasked(Phase phase);
  void show(char direction, std::string_view line) const;
  std::string masked(std::string_view line) const;  // without what we sent as secrets

  net::Stream& stream_;
  std::string hostname_;
  ClientTimeouts timeouts_;
  Capabilities capabilities_;
  Transcript transcript_;
  std::vector<std::string> secrets_;  // while AUTH runs: must not come back in a reply's text (wiped after it)
  bool lmtp_ = false;
  bool needs_reset_ = false;  // the last transaction is still open at the peer
};

}  // namespace sidegate::smtp
