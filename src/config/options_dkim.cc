// The rows of [[dkim]]: a key that signs mail of a domain.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

Table dkim_table() {
  using enum Apply;
  using enum Secrecy;
  constexpr bool kRequired = true;
  return {
      "dkim",
      true,
      N_("A key that signs mail from a domain as it leaves (DKIM, RFC 6376). Several blocks for one domain sign "
         "together: "
         "an RSA and an Ed25519 key, or an old and a new selector. `sidegate dkim new DOMAIN` makes one."),
      {
          {"domain", Place(&DkimBlock::domain).checked(check_domain), "", kAny, kLive, kOpen,
           N_("The domain of From that it signs for, and that the record in DNS belongs to."), kRequired},
          {"selector", Place(&DkimBlock::selector).checked(check_dkim_selector), "", kAny, kLive, kOpen,
           N_("The record's name: SELECTOR._domainkey.DOMAIN."), kRequired},
          {"key_file", Place(&DkimBlock::key_file).checked(check_secret_path), "", kAny, kLive, kOpen,
           N_("The private key (PEM, RSA or Ed25519), readable by its owner alone (0600), or by the service's group "
              "(0640)."),
           kRequired},
          {"headers", Place(&DkimBlock::headers).checked(check_field_name), "", kAny, kLive, kOpen,
           N_("The header fields to sign; From is always among them. Empty: those that say who writes what to whom, "
              "and "
              "what the content is.")},
          {"canonicalization", Place(&DkimBlock::canonicalization).checked(check_canonicalization), "relaxed/relaxed",
           kAny, kLive, kOpen,
           N_("How header and body are read when they are hashed: relaxed survives changed white space, simple "
              "survives "
              "nothing. relaxed/relaxed, relaxed/simple, simple/relaxed or simple/simple.")},
          {"subdomains", Place(&DkimBlock::subdomains), "true", kAny, kLive, kOpen,
           N_("Whether it signs for domains below its own too, where these have no key themselves.")},
      }};
}

}  // namespace sidegate::config
