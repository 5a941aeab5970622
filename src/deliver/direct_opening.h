// From a recipient's domain to a session with one of its mail exchangers: MX, addresses, then each host in turn until
// one takes mail (RFC 5321 section 5.1). What is tried is bounded: five hosts, two addresses a family each.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deliver/passed_over.h"
#include "deliver/published_policy.h"
#include "deliver/relay_connection.h"
#include "dns/exchangers.h"

namespace sidegate::deliver {

// What an opening found out about port 25 on this line: the courier draws the consequences for all destinations.
struct Port25Findings {
  std::vector<Port25::Step> steps;
  std::vector<std::string> silent;  // addresses that did not answer: is anything else at home there?
};

class DirectOpening {
 public:
  DirectOpening(net::Loop& loop, dns::Resolver& resolver, Way& way, const DeliverSettings& settings,
                std::uint32_t random, TlsHooks hooks = {})
      : loop_(loop), resolver_(resolver), way_(way), settings_(settings), random_(random), hooks_(hooks) {}
  // A verdict that fails (no such domain, null MX, a loop) is about the recipients and not about the way.
  net::Awaitable<Opened> run();
  void cancel() {
    cancelled_ = true;
    if (now_) now_->cancel();
  }
  Port25Findings findings;

  // The same decisions without a connection, for `explain tls`.
  struct Survey {
    TlsPolicy policy;
    std::optional<TlsPolicy> published;
    bool mx_proven = false;
    std::string mx_unproven = {};  // why not; empty: nobody has asked
    std::vector<std::pair<dns::Exchanger, HostPolicy>> hosts = {};
    std::string trouble = {};  // there are no hosts, and why
  };
  net::Awaitable<Survey> survey();

 private:
  // Where one host may be reached. Empty: nowhere, and `why` says it.
  struct Places {
    std::vector<std::string> list;
    bool ours = false, kept_out = false;
    std::string why;
    ErrorKind kind = ErrorKind::kNotFound;
  };
  net::Awaitable<Places> places_of(std::string host);
  net::Awaitable<std::vector<Places>> places_of_equals(const std::vector<dns::Exchanger>& list, std::size_t from);
  net::Awaitable<Opened> try_host(std::string host, std::vector<std::string> addresses);
  // Policies: of the destination, then of one of its hosts. The only places where they are decided.
  void configure_policy();
  net::Awaitable<void> find_published();
  bool wants_proof() const;  // of the DNS
  bool requires_tls() const { return way_.demand == mail::TlsDemand::kRequired; }
  OpenTrouble refused(const HostPolicy& policy, smtp::Phase phase, std::string reason) const;
  // The MX records, proven where the policy asks for that and it can be had. An error: as run() gives it.
  net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> find_exchangers();
  net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> proven_exchangers();
  net::Awaitable<std::expected<dns::Exchangers, OpenTrouble>> plain_exchangers();
  net::Awaitable<HostPolicy> policy_of(std::string host);
  // Every result of TLS goes through here, once for each host that was tried or passed over for its policy.
  void tell(const std::string& host, const HostPolicy& policy, const std::string& address, std::string_view result,
            std::string detail, std::string our_address = {}, const RelayConnection* made = nullptr);
  void tell_failure(const std::string& host, const HostPolicy& policy, const OpenTrouble& trouble);
  net::Awaitable<bool> leads_to(std::string name, std::string address);
  net::Awaitable<std::optional<OpenTrouble>> look_at(const RelayConnection& made, const std::string& host);
  std::string our_name() const;
  bool proxied() const { return !settings_.direct.proxy.host.empty(); }
  void note_silent(const std::string& host, const OpenTrouble& trouble);

  net::Loop& loop_;
  dns::Resolver& resolver_;
  Way& way_;
  const DeliverSettings& settings_;
  std::uint32_t random_;
  TlsHooks hooks_;
  TlsPolicy policy_;                    // of the configuration
  std::optional<TlsPolicy> published_;  // of the destination itself
  std::string domain_;                  // in its ASCII form
  bool mx_proven_ = false;
  std::string mx_name_;      // the domain, or what its alias leads to
  std::string mx_unproven_;  // why mx_proven_ is not
  bool cancelled_ = false;
  std::unique_ptr<RelayOpening> now_;
};

// Which hosts stand before ourselves in the list: those at our own preference or a worse one would bring mail back to
// us. True: we are in it. RFC 5321 section 5.1.
bool drop_own(std::vector<dns::Exchanger>& list, const std::string& own_name);

// Hosts that have put mail off or refused us come after all others, each lot in its order. How many are in turn.
std::size_t put_last(std::vector<dns::Exchanger>& list, const PassedOver& passed_over, SteadyTime now);

std::string without_port(const std::string& place);  // the host of "host:port" or "[address]:port"

// What is wrong with this destination, in words of our own.
OpenTrouble destination_trouble(Action action, std::string_view meaning, mail::EnhancedCode status,
                                std::string_view explanation, std::string reason, Duration hold = {});

}  // namespace sidegate::deliver
