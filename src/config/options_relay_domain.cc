// The [[relay_domain]] blocks.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

Table relay_domain_table() {
  using enum Apply;
  using enum Secrecy;
  return {
      "relay_domain",
      true,
      N_("A domain whose mail is taken from the world and goes on to another server: one inside, or the first MX that "
         "this machine stands in for."),
      {
          {"domain", Place(&RelayDomainBlock::domain).checked(check_domain), "", kAny, kLive, kOpen,
           N_("The domain. A domain below it needs a block of its own."), true},
          {"next_hop", Place(&RelayDomainBlock::next_hop), "", kAny, kLive, kOpen,
           N_("The server its mail goes to, used as it is (no MX lookup): \"mail.inside.example\", "
              "\"[192.168.1.5]:2525\". "
              "Without a port: 25."),
           true},
          {"recipients", Place(&RelayDomainBlock::recipients), "any", kAny, kLive, kOpen,
           N_("Who is there. any: everybody is taken, and what that server refuses comes back as a bounce. "
              "call-forward: "
              "it is asked at RCPT, and the answer remembered. A path: a file with an address or a name on each line, "
              "read again when it changes.")},
          {"tls", Place(&RelayDomainBlock::tls), "opportunistic", kAny, kLive, kOpen,
           N_("opportunistic: where the server offers it, with any certificate. starttls, implicit: required, with a "
              "valid "
              "one. none: never.")},
          {"connections",
           Place(&RelayDomainBlock::connections),
           "10",
           {"0", "1000"},
           kLive,
           kOpen,
           N_("Connections to it at the same time. 0: none, its mail is kept until this is raised.")},
      }};
}

}  // namespace sidegate::config
