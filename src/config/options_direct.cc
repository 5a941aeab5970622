// The [direct] block.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

using deliver::DirectSettings;

Table direct_table() {
  constexpr Range kWait{"1s", "1h"};
  using enum Apply;
  using enum Secrecy;
  return {
      "direct",
      false,
      N_("Straight to the mail servers (MX) of the recipients' domains, on port 25: where no [[relay]] is set up, and "
         "where a route names the way \"direct\"."),
      {
          {"enabled", Place(&Settings::direct, &DirectSettings::enabled), "true", kAny, kLive, kOpen,
           N_("Whether mail goes this way where no relay is set up. false: it waits for one. A route that names "
              "\"direct\" means it in any case.")},
          {"connections",
           Place(&Settings::direct, &DirectSettings::connections),
           "50",
           {"1", "10000"},
           kLive,
           kOpen,
           N_("Connections at the same time, to all destinations together.")},
          {"connections_per_destination",
           Place(&Settings::direct, &DirectSettings::connections_per_destination),
           "5",
           {"1", "1000"},
           kLive,
           kOpen,
           N_("Connections at the same time for one recipient domain.")},
          {"messages_per_connection",
           Place(&Settings::direct, &DirectSettings::messages_per_connection),
           "100",
           {"1", "100000"},
           kLive,
           kOpen,
           N_("Messages on one connection before it is closed.")},
          {"hello", Place(&Settings::direct, &DirectSettings::hello).checked(check_host_name), "", kAny, kLive, kOpen,
           N_("The name in EHLO; not given: hostname. Many servers want it to be the one that our address has in the "
              "DNS.")},
          {"source_address", Place(&Settings::direct, &DirectSettings::source_address), "", kAny, kLive, kOpen,
           N_("Our own IPv4 address for these connections; not given: the system chooses.")},
          {"source_address6", Place(&Settings::direct, &DirectSettings::source_address6), "", kAny, kLive, kOpen,
           N_("Our own IPv6 address for these connections; not given: the system chooses.")},
          {"proxy", Place(&Settings::direct, &DirectSettings::proxy, &deliver::Proxy::url), "", kAny, kLive, kSecret,
           N_("A SOCKS5 proxy that connects to the mail servers, written as a relay's: for a machine outside whose "
              "port "
              "25 is open. It is given their addresses, which are looked up here.")},
          {"address_families", Place(&Settings::direct, &DirectSettings::address_families), "ipv6, ipv4", kAny, kLive,
           kOpen, N_("Which families are used: ipv6, ipv4. A family that does not answer on this line costs nothing.")},
          {"private_addresses", Place(&Settings::direct, &DirectSettings::private_addresses), "false", kAny, kLive,
           kOpen,
           N_("Whether an MX record may lead to loopback, private, link-local or CGNAT addresses. Strangers write MX "
              "records: better list your own networks in private_networks.")},
          {"private_networks", Place(&Settings::direct, &DirectSettings::private_networks).checked(check_network), "",
           kAny, kLive, kOpen, N_("Networks that MX records may lead to although they are not of the internet.")},
          {"through_interceptor", Place(&Settings::direct, &DirectSettings::through_interceptor), "false", kAny, kLive,
           kOpen,
           N_("Whether mail goes out where another server than the one called answers on port 25, as some networks "
              "arrange it. false: it takes the next way, or waits.")},
          {"tls", Place(&Settings::direct, &DirectSettings::tls), "dane", kAny, kLive, kOpen,
           N_("TLS with mail servers, as in Postfix. none: never. may: where the server offers it, whatever its "
              "certificate (RFC 7435). encrypt: never without it. dane: where the DNS, validated, has TLSA records for "
              "the server, only with a certificate that fits them (RFC 7672), else as may. dane-only: only so; mail "
              "waits where there are none. verify: only with a certificate of a known CA for the server's name. "
              "secure: for the recipient's domain. Where DNSSEC cannot be validated on this line, dane is as may and "
              "dane-only waits. [[tls_policy]] says it for single domains.")},
          {"tls_ca_file", Place(&Settings::direct, &DirectSettings::tls_ca_file).checked(check_path), "", kAny, kLive,
           kOpen, N_("CA certificates (PEM) for verify, secure, MTA-STS and REQUIRETLS. Empty: the system's.")},
          {"tls_certificate",
           Place(&Settings::direct, &DirectSettings::certificate, &tls::Identity::cert_file).checked(check_path), "",
           kAny, kLive, kOpen,
           N_("A certificate (PEM, with its chain) that we show to mail servers that ask for one. Few do.")},
          {"tls_key",
           Place(&Settings::direct, &DirectSettings::certificate, &tls::Identity::key_file).checked(check_path), "",
           kAny, kLive, kOpen, N_("Its key. Empty: in the same file.")},
          {"mta_sts", Place(&Settings::direct, &DirectSettings::mta_sts), "true", kAny, kLive, kOpen,
           N_("Whether domains are asked for an MTA-STS policy (RFC 8461): where one is enforced, mail goes to the "
              "hosts it lists, with a certificate that verifies, and waits where none of them has one.")},
          {"port", Place(&Settings::direct, &DirectSettings::port), "smtp", kAny, kLive, kOpen,
           N_("The port of mail servers; another one than 25 is of use in tests alone.")},
          {"connect_timeout", Place(&Settings::direct, &DirectSettings::connect_timeout), "30s", kWait, kLive, kOpen,
           N_("How long a server may take to accept the connection.")},
          {"greeting_timeout", Place(&Settings::direct, &DirectSettings::greeting_timeout), "5min", kWait, kLive, kOpen,
           N_("How long a server may take to greet (RFC 5321 section 4.5.3.2.1).")},
          {"idle_timeout", Place(&Settings::direct, &DirectSettings::idle_timeout), "5s", kWait, kLive, kOpen,
           N_("How long a connection without work is kept for further mail to the same domain.")},
          {"retry_after", Place(&Settings::direct, &DirectSettings::retry_after), "1min", kWait, kLive, kOpen,
           N_("The first pause of a destination in trouble; it doubles up to 10 minutes.")},
          {"port25_retry_after", Place(&Settings::direct, &DirectSettings::port25_retry_after), "5min", kWait, kLive,
           kOpen,
           N_("Where port 25 is closed on this line, or somebody else answers on it: when one message tries it again. "
              "The pause doubles up to an hour; what leads out again is used at once.")},
      }};
}

Table tls_policy_table() {
  using deliver::TlsRule;
  using enum Apply;
  using enum Secrecy;
  return {
      "tls_policy",
      true,
      N_("TLS with the mail servers of one recipient domain, in place of what [direct] tls says and of what the domain "
         "publishes. The nearest block counts: the domain itself, then the longest \".domain\" above it."),
      {
          {"domain", Place(&TlsRule::domain).checked(check_policy_domain), "", kAny, kLive, kOpen,
           N_("The recipient's domain: \"example.org\", \".example.org\" (domains below it), \"[192.0.2.1]\"."), true},
          {"level", Place(&TlsRule::level), "encrypt", kAny, kLive, kOpen,
           N_("none, may, encrypt, dane, dane-only, verify or secure, as [direct] tls has them.")},
          {"match", Place(&TlsRule::match).checked(check_tls_match), "", kAny, kLive, kOpen,
           N_("Of verify and secure: what the certificate must be for, one of: hostname (the server's name, as the DNS "
              "gave it), nexthop (the recipient's domain), dot-nexthop (a name below it), \"mx.example.net\", "
              "\".example.net\" (a name below it). Empty: hostname for verify, nexthop and dot-nexthop for secure.")},
      }};
}

}  // namespace sidegate::config
