// A way out as the operator writes it: one [[relay]] block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "auth/client.h"
#include "base/clock.h"
#include "deliver/tls_policy.h"
#include "dkim/signer.h"
#include "provider/reply_table.h"
#include "rewrite/rules.h"
#include "rewrite/srs.h"
#include "route/conditions.h"
#include "tls/context.h"

namespace sidegate::deliver {

using namespace std::chrono_literals;

enum class TlsMode : std::uint8_t { kStartTls, kImplicit, kNone, kOpportunistic };  // the last: where it is offered
enum class LogTls : std::uint8_t { kNone, kSummary, kHandshake };
enum class EightBit : std::uint8_t { kPass, kConvert, kBounce };
enum class WhenFull : std::uint8_t { kNext, kWait };
enum class Identity : std::uint8_t { kKeep, kAccount, kAllowed };
// What follows where a relay refuses a message because of who it is from.
enum class OnSenderRefused : std::uint8_t {
  kAuto,
  kAccount,
  kNext,
  kHold,
  kFail
};  // kAuto: kAccount for this
    // machine's own senders, else kNext
enum class ForwardSender : std::uint8_t { kSrs, kAccount, kKeep };
// What is spoken on a way. Relays are SMTP; the built-in ways of this machine are the others.
// The last two: a route has decided.
enum class Protocol : std::uint8_t { kSmtp, kLmtp, kLocal, kDirect, kDiscard, kFail };
constexpr const char* name(Protocol protocol) {
  constexpr const char* kNames[] = {"smtp", "lmtp", "local", "smtp", "discard", "fail"};
  return kNames[static_cast<unsigned>(protocol)];
}
constexpr bool leads_out(Protocol protocol) {
  return protocol == Protocol::kSmtp || protocol == Protocol::kDirect;
}
enum class MailboxDelivery : std::uint8_t { kMbox, kMaildir, kLmtp, kCommand, kDiscard };

struct Timeouts {  // RFC 5321 section 4.5.3.2
  Duration connect = 30s;
  Duration greeting = 5min, helo = 5min, mail = 5min, rcpt = 5min;
  Duration starttls = 1min, auth = 1min;
  Duration data_init = 2min, data_block = 3min, data_done = 10min;
  Duration quit = 5s;
  Duration idle = 30s;  // a pooled connection without work is closed after this
  bool operator==(const Timeouts&) const = default;
};

struct Proxy {       // SOCKS5 (RFC 1928)
  std::string host;  // empty: none
  std::uint16_t port = 1080;
  std::string user, password;  // RFC 1929
  std::string url;             // as it was written
  bool operator==(const Proxy&) const = default;
};

// Where a relay is, when its host alone does not say it.
struct Places {
  std::string provider, server, region;  // a preset (provider/presets.h), and what it leaves to the user
  std::vector<std::string> more_hosts;   // after host, in order; each may give a port of its own
  std::vector<std::uint16_t> ports;      // tried in order on each host; empty: port
  bool tls_given = false;                // the block says tls: it holds for every port but 465
  bool mx = false;                       // host is a domain: the servers are its MX
  bool srv = false;                      // host is a domain: the servers are its SRV records (RFC 6186, RFC 8314)
  bool operator==(const Places&) const = default;
};

struct RelaySettings {
  std::string name;
  Protocol protocol = Protocol::kSmtp;
  std::string host;  // literal: no MX is looked up; "[host]:port" is understood
  std::uint16_t port = 587;
  TlsMode tls = TlsMode::kStartTls;
  bool tls_verify = true;
  std::string tls_ca_file;
  std::string tls_ca_pem;  // the file's content, where the configuration's loader has read it
  Places places;
  std::vector<std::string> source_addresses;  // ours: one of each family
  Proxy proxy;
  tls::Identity certificate;  // what we show when asked; no file: none
  std::string tls_name;       // expected name; empty: host
  std::vector<std::string> tls_fingerprints;
  mail::Reply refusal;  // of kFail
  std::string policy;   // of kDirect: its TLS policies in one text, for who looks whether they are still those
  std::string user;
  std::string password;                 // secret; from password, password_file or its environment form
  std::vector<std::string> mechanisms;  // empty: every one we know
  auth::InsecureAuth insecure_auth = auth::InsecureAuth::kNever;
  EightBit eight_bit = EightBit::kPass;
  Identity identity = Identity::kKeep;
  std::string address;               // the account's own; empty: unknown (identity is then kKeep)
  std::vector<std::string> allowed;  // kAllowed: what else the account may send as (rewrite::is_listed)
  OnSenderRefused on_sender_refused = OnSenderRefused::kAuto;
  bool sign = true;                 // with the keys of DeliverSettings
  bool rewrites = true;             // false: nothing of [rewrite] holds here
  rewrite::RulesText rewrite_text;  // as the operator wrote them for this way; what follows from them and [rewrite]:
  std::shared_ptr<const rewrite::Outgoing> rewrite;  // null: those of DeliverSettings; empty: none
  std::uint32_t connections = 10;
  std::uint32_t messages_per_connection = 200;
  // Of the account, which all blocks with its host and user share; 0: no limit.
  std::uint64_t messages_per_second = 0, messages_per_minute = 0, messages_per_hour = 0, messages_per_day = 0;
  std::uint64_t recipients_per_minute = 0, recipients_per_hour = 0, recipients_per_day = 0;
  WhenFull when_full = WhenFull::kNext;
  Duration retry_after =
      30s;  // the first pause of a way in trouble; the scheduler, which knows how trials end, grows it
  Timeouts timeouts;
  // What its replies mean, made from the [[reply]] blocks that concern it (deliver/reply_rules.h); null: as is built
  // in.
  std::shared_ptr<const provider::ReplyTable> replies;
  std::string reply_provider;  // whose rules are asked
  bool has_credentials() const { return !user.empty(); }
  // A user alone is whom a certificate stands for.
  bool has_password() const { return !user.empty() && (!password.empty() || certificate.cert_file.empty()); }
};

// Mail that ends on this machine: the [local] block.
struct LocalSettings {
  MailboxDelivery delivery = MailboxDelivery::kMbox;
  std::string mbox = "/var/mail/%u";
  std::string maildir = "~/Maildir/";
  std::string lmtp;     // path of a Unix socket, or "host:port"
  std::string command;  // for every mailbox: procmail, maildrop
  std::string default_user = "nobody";
  std::uint32_t connections = 20;
  Duration command_timeout = 1000s;
  bool operator==(const LocalSettings&) const = default;
};
// Straight to the MX of the recipient's domain: the [direct] block.
struct DirectSettings {
  bool enabled = true;  // where there is no relay
  std::uint32_t connections = 50, connections_per_destination = 5;
  std::uint32_t messages_per_connection = 100;
  std::string hello;  // for EHLO; empty: hostname
  std::string source_address, source_address6;
  Proxy proxy;                // then nothing here says anything of port 25 on this line
  tls::Identity certificate;  // what we show when asked; no file: none
  std::vector<std::string> address_families = {"ipv6", "ipv4"};
  bool private_addresses = false;             // an MX may lead into private space
  std::vector<std::string> private_networks;  // or into these
  bool through_interceptor = false;           // where another server answers on port 25, mail goes by it all the same
  TlsLevel tls = TlsLevel::kDane;
  std::string tls_ca_file, tls_ca_pem;  // the second: the first one's content
  std::vector<TlsRule> tls_rules;       // [[tls_policy]]
  bool mta_sts = true;                  // policies of RFC 8461 are asked for
  std::uint16_t port = 25;
  Duration connect_timeout = 30s, greeting_timeout = 5min, idle_timeout = 5s;
  Duration retry_after = 1min, port25_retry_after = 5min;
  bool operator==(const DirectSettings&) const = default;
};
inline constexpr const char* kDirectWay = "direct";

inline constexpr const char* kLocalWay = "local";  // its ways' names: no relay is called so
inline constexpr const char* kLmtpWay = "lmtp";

// A [[route]] block.
enum class RouteAction : std::uint8_t { kWays, kDiscard, kHold, kFail, kLocal, kLmtp };
struct RouteSettings {
  route::RouteConditions conditions;
  std::vector<std::string> ways;  // names, in order: of relays, or "direct"
  RouteAction action = RouteAction::kWays;
  std::string text;  // of kFail: what the sender is told
};

// Where the mail of one relay domain goes on to. The relay's name is next_hop_name(domain).
struct NextHop {
  std::string domain;  // lower case
  RelaySettings relay;
};
inline std::string next_hop_name(const std::string& domain) {
  return "relay_domain:" + domain;
}

// A [[reply]] block: what some replies mean. Checked when it is loaded.
struct ReplyRule {
  std::vector<std::string> ways = {};  // by name; empty: all
  std::string provider = {};
  std::vector<std::string> stages = {};
  std::string code = {}, status = {}, text = {}, meaning = {};
  bool operator==(const ReplyRule&) const = default;
};

struct DeliverSettings {
  std::string hostname;                   // EHLO
  std::string recipient_delimiter = "+";  // of what a route brings to a mailbox
  std::vector<ReplyRule> replies;
  std::vector<RelaySettings> relays;
  LocalSettings local;
  DirectSettings direct;
  std::vector<RouteSettings> routes;  // the first that fits wins
  std::vector<NextHop> next_hops;     // of relay domains: their mail goes there and nowhere else
  LogTls log_tls = LogTls::kSummary;  // what is told of each connection's TLS
  std::string postmaster;             // who gets a report that cannot be delivered; empty: the dead-letter store
  ForwardSender forward_sender = ForwardSender::kSrs;  // of what an address of ours forwards
  rewrite::SrsKeys srs;
  std::shared_ptr<const rewrite::Outgoing> rewrite;  // of every way that has no rules of its own; null: none
  std::shared_ptr<const dkim::Signers> dkim;         // null: nothing is signed
};

}  // namespace sidegate::deliver
