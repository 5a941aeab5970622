// From the name of a relay (or of an LMTP server, RFC 2033) to a session that may take mail: resolve, connect,
// greeting, EHLO, TLS, verify, EHLO, AUTH.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "deliver/candidates.h"
#include "deliver/connection.h"
#include "deliver/outcome.h"
#include "deliver/race.h"
#include "deliver/way.h"
#include "dns/resolver.h"
#include "net/socket.h"
#include "smtp/client_session.h"

namespace sidegate::deliver {

class RelayConnection final : public Connection {
 public:
  net::Awaitable<void> carry(Attempt& attempt) override;  // attempt.cc
  bool takes_reports() const override { return session->capabilities().dsn; }
  std::uint64_t most_octets() const override { return session->capabilities().size.value_or(0); }
  bool is_final() const override { return lmtp; }
  bool looks_dead() override { return stream->looks_dead(); }
  net::Awaitable<void> quit() override { return session->quit(); }
  void cancel() override { stream->cancel(); }
  void close() override { stream->close(); }

  std::unique_ptr<net::Stream> stream;
  std::unique_ptr<smtp::ClientSession> session;  // refers to *stream
  bool authenticated = false, tls = false, lmtp = false;
  bool proven = false;  // by its certificate: it is who was meant
};

struct OpenTrouble {
  smtp::Trouble trouble;
  Verdict verdict;
  std::string reason;                    // what happened, in the words of the relay or ours
  std::string address;                   // as far as it came
  std::string our_address = {};          // of the connection, where there was one
  tls::Fault fault = tls::Fault::kNone;  // of a certificate that was not accepted
};

using Opened = std::expected<std::unique_ptr<RelayConnection>, OpenTrouble>;

// Each candidate in turn, until one of them takes mail. Promise 5 is kept here: credentials go only to a verified TLS
// peer, unless the block says otherwise in words; where TLS is asked for and not to be had, nothing is sent at all.
class RelayOpening {
 public:
  RelayOpening(net::Loop& loop, dns::Resolver& resolver, Way& way, const DeliverSettings& settings)
      : RelayOpening(loop, resolver, way, settings, {}) {}
  // candidates: empty: the way's own, as its block, the DNS and what was learnt name them.
  RelayOpening(net::Loop& loop, dns::Resolver& resolver, Way& way, const DeliverSettings& settings,
               std::vector<Candidate> candidates)
      : loop_(loop), resolver_(resolver), way_(way), settings_(settings), candidates_(std::move(candidates)) {}
  net::Awaitable<Opened> run();
  void cancel() {  // a wait under way on the stream ends, and no other candidate is tried
    cancelled_ = true;
    if (made_ && made_->stream) made_->stream->cancel();
  }

 private:
  using Done = smtp::Step<void>;
  net::Awaitable<Done> find();   // the candidates
  net::Awaitable<Done> open();   // at_, as far as the login
  net::Awaitable<Done> reach();  // resolve, connect, greeting: each address in turn
  net::Awaitable<Done> reach_any(std::vector<net::Endpoint> places);
  net::Awaitable<Done> through_proxy();
  net::Awaitable<Done> through_proxy_to(std::string host);
  net::Awaitable<Done> begin(std::unique_ptr<net::Stream> stream);
  void worked(const Candidate& top, const std::optional<OpenTrouble>& told);
  RaceRules race_rules() const;
  net::Awaitable<Done> hello();
  std::string refused_ehlo() const;
  net::Awaitable<Done> secure();  // STARTTLS or TLS from the start, and the verdict on the peer
  net::Awaitable<Done> starttls();
  bool wants_starttls() const;
  net::Awaitable<Done> log_in();
  net::Awaitable<void> probe_465();
  Done judge_peer();
  void log_tls();
  OpenTrouble explain(smtp::Trouble trouble);
  std::vector<std::string> in_order(std::vector<std::string> addresses) const;

  net::Loop& loop_;
  dns::Resolver& resolver_;
  Way& way_;
  const DeliverSettings& settings_;
  std::vector<Candidate> candidates_;
  Candidate at_;      // the one that is tried
  bool last_ = true;  // no other one after it
  bool cancelled_ = false;
  std::shared_ptr<const tls::ClientContext> context_;  // its
  std::unique_ptr<RelayConnection> made_;
};

smtp::ClientTimeouts client_timeouts(const Timeouts& timeouts);

}  // namespace sidegate::deliver
