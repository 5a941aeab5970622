// What a [[listener]] may say about strangers: how they are looked at before their mail is taken; and the [[blocklist]]
// blocks.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"
#include "screen/helo.h"
#include "screen/settings.h"

namespace sidegate::config {
namespace {

using enum Apply;
using enum Secrecy;

Status check_helo_check(std::string& text) {
  if (screen::helo_check(text)) return {};
  return fail(ErrorKind::kBadInput, tr("{} is not one of {}", quoted(text),
                                       "\"syntax\" | \"own_name\" | \"not_qualified\" | \"unresolvable\""));
}

}  // namespace

void add_listener_screen_options(Table& listener) {
  using intake::ListenerSettings;
  using screen::Settings;
  const Option rows[] = {
      {"client_names", Place(&ListenerSettings::screen, &Settings::client_names), "false", kAny, kLive, kOpen,
       N_("Look up the name of each client (PTR, which must lead back to the address) for the log and the Received "
          "field. "
          "Not given: true for smtp.")},
      {"greeting_delay",
       Place(&ListenerSettings::screen, &Settings::greeting_delay),
       "2s",
       {"0", "1min"},
       kLive,
       kOpen,
       N_("The greeting waits for a stranger's name, but not longer than this; with early_talker, always this long. "
          "Listed "
          "networks and this machine's programs never wait.")},
      {"early_talker", Place(&ListenerSettings::screen, &Settings::early_talker), "off", kAny, kLive, kOpen,
       N_("A stranger who speaks before the greeting, as programs that only send do: off, tag (its mail gets a field "
          "X-Sidegate-Screen that says so, and the log too) or reject (at RCPT). The same three words below.")},
      {"reverse_name", Place(&ListenerSettings::screen, &Settings::reverse_name), "off", kAny, kLive, kOpen,
       N_("A stranger whose address has no name (no PTR; Postfix's reject_unknown_reverse_client_hostname). When "
          "nobody "
          "can say now, reject answers 450.")},
      {"reverse_name_confirmed", Place(&ListenerSettings::screen, &Settings::reverse_name_confirmed), "off", kAny,
       kLive, kOpen,
       N_("The same, and also one whose name does not lead back to the address (Postfix's "
          "reject_unknown_client_hostname). Many good servers have such a name: tag is wiser than reject.")},
      {"helo_check", Place(&ListenerSettings::screen, &Settings::helo), "off", kAny, kLive, kOpen,
       N_("A stranger whose name in HELO or EHLO does not pass helo_checks.")},
      {"helo_checks", Place(&ListenerSettings::screen, &Settings::helo_checks).checked(check_helo_check),
       "syntax,own_name,not_qualified", kAny, kLive, kOpen,
       N_("What is looked at: syntax (no host name and no address literal), own_name (our name, localhost, or an "
          "address "
          "that is not the client's), not_qualified (no dot, or a bare address), unresolvable (neither address nor MX "
          "in "
          "DNS).")},
      {"sender_domain", Place(&ListenerSettings::screen, &Settings::sender_domain), "off", kAny, kLive, kOpen,
       N_("A sender's domain with neither MX nor address, or with a null MX (RFC 7505): no report could reach it. When "
          "nobody can say now, reject answers 450.")},
      {"blocklists", Place(&ListenerSettings::screen, &Settings::blocklists), "false", kAny, kLive, kOpen,
       N_("Ask the [[blocklist]] blocks about strangers. Not given: true for smtp.")},
      {"blocklist_threshold",
       Place(&ListenerSettings::screen, &Settings::blocklist_threshold),
       "1",
       {"1", "1000"},
       kLive,
       kOpen,
       N_("What the weights of the lists that have the client must come to, allow lists subtracted, before something "
          "follows from it.")},
      {"lookup_limit",
       Place(&ListenerSettings::screen, &Settings::lookup_limit),
       "5s",
       {"100ms", "1min"},
       kLive,
       kOpen,
       N_("How long a question about a stranger may take; it is asked while the client talks, and waited for at RCPT. "
          "A "
          "block list that does not answer lists nobody.")},
      {"open_postmaster", Place(&ListenerSettings::screen, &Settings::open_postmaster), "true", kAny, kLive, kOpen,
       N_("Mail for postmaster is taken all the same, so that somebody who is refused wrongly can say so (RFC 5321 "
          "section "
          "4.5.1).")},
      {"proxy", Place(&ListenerSettings::proxy).checked(check_network), "", kAny, kLive, kOpen,
       N_("Proxies in front (haproxy, nginx, a cloud's load balancer) that say in a PROXY header, version 1 or 2, whom "
          "they "
          "speak for: [\"10.0.0.5\"]. From these addresses the header must come; from others it is refused. What it "
          "says is "
          "the client's address for every rule, but never makes anybody a program of this machine.")},
      {"xclient", Place(&ListenerSettings::xclient).checked(check_network), "", kAny, kLive, kOpen,
       N_("Hosts that may say by XCLIENT who the client is: [\"10.0.0.6\"]. Its LOGIN counts where auth is true, as if "
          "the "
          "user had logged in here.")},
  };
  for (const Option& row : rows) listener.options.push_back(row);
}

Table blocklist_table() {
  using screen::BlockListSettings;
  return {
      "blocklist",
      true,
      N_("A list in DNS that strangers are looked up in (RFC 5782), and what it counts. Large lists want to be asked "
         "through "
         "a name server of your own; one that does not answer, or answers 127.255.255.x, lists nobody, and the log "
         "says so "
         "once."),
      {
          {"zone", Place(&BlockListSettings::zone), "", kAny, kLive, kOpen,
           N_("The list's zone: \"zen.spamhaus.org\". Postfix's way to write filter and weight beside it is read too: "
              "\"zen.spamhaus.org=127.0.0.[2..11]*3\"."),
           true},
          {"name", Place(&BlockListSettings::name), "", kAny, kLive, kOpen,
           N_("What replies, log and tags call it, where the zone holds a key that is yours alone. Empty: the zone.")},
          {"answers", Place(&BlockListSettings::answers), "", kAny, kLive, kOpen,
           N_("Which answers count: [\"127.0.0.2\", \"127.0.0.[4;8..11]\"]. Empty: any in 127.0.0.0/8.")},
          {"weight",
           Place(&BlockListSettings::weight),
           "1",
           {"-1000", "1000"},
           kLive,
           kOpen,
           N_("What being listed counts towards blocklist_threshold. Negative: an allow list.")},
          {"action", Place(&BlockListSettings::action), "reject", kAny, kLive, kOpen,
           N_("reject: it counts towards refusing the client at RCPT. tag: towards tagging alone. off: it is not "
              "asked.")},
      }};
}

void add_client_rate_options(Table& global) {
  using intake::ClientRateSettings;
  constexpr Range kRate{"0", "1000000"};
  const Option rows[] = {
      {"max_connections_per_minute", Place(&Settings::client_rates, &ClientRateSettings::connections), "0", kRate,
       kLive, kOpen,
       N_("Connections a minute from one address (IPv6: one /64); the next is answered 421. Of this and the three "
          "below: who "
          "may relay and this machine are not counted. 0: no limit.")},
      {"max_messages_per_minute", Place(&Settings::client_rates, &ClientRateSettings::messages), "0", kRate, kLive,
       kOpen, N_("Messages a minute from one address; the next is answered 450. 0: no limit.")},
      {"max_recipients_per_minute", Place(&Settings::client_rates, &ClientRateSettings::recipients), "0", kRate, kLive,
       kOpen, N_("Recipients a minute from one address; the next is answered 450. 0: no limit.")},
      {"max_errors_per_minute", Place(&Settings::client_rates, &ClientRateSettings::errors), "300", kRate, kLive, kOpen,
       N_("After this many refused commands in a minute an address is answered 421 until it has been quiet for a "
          "moment. 0: "
          "no limit.")},
      {"limits_exempt", Place(&Settings::client_rates, &ClientRateSettings::exempt).checked(check_network), "", kAny,
       kLive, kOpen, N_("Networks that are not counted there: [\"198.51.100.0/24\"].")},
  };
  for (const Option& row : rows) global.options.push_back(row);
}

}  // namespace sidegate::config
