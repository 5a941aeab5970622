// The [tls] block, and what a [[listener]] may say of its own certificates.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {

Table tls_table() {
  using tls::ServerSettings;
  using enum Apply;
  using enum Secrecy;
  return {
      "tls",
      false,
      N_("TLS of the listeners. Certificates, keys and what else is named here are read again when they change."),
      {
          {"certificates", Place(&Settings::tls, &ServerSettings::identities), "", kAny, kLive, kOpen,
           N_("What is shown to clients: [{ certificate = \"/etc/letsencrypt/live/example.org/fullchain.pem\", key = "
              "\"/etc/letsencrypt/live/example.org/privkey.pem\" }]. Several are chosen among by the name a client "
              "asks "
              "for, the first one is for all others; an ECDSA and an RSA certificate for the same names stand side by "
              "side. A path that ends with / is a folder of certbot; without a key it is looked for beside the "
              "certificate (privkey.pem, or .key for .crt) or in the same file. None: the server signs one itself, "
              "which "
              "no client trusts.")},
          {"minimum", Place(&Settings::tls, &ServerSettings::minimum), "1.2", kAny, kLive, kOpen,
           N_("The lowest version of TLS taken.")},
          {"ciphers", Place(&Settings::tls, &ServerSettings::ciphers), "", kAny, kLive, kOpen,
           N_("Ciphers of TLS 1.2, as `openssl ciphers` writes them. Empty: those with forward secrecy.")},
          {"client_ca_file", Place(&Settings::tls, &ServerSettings::client_ca_file).checked(check_path), "", kAny,
           kLive, kOpen,
           N_("CA certificates (PEM) for clients' certificates: clients are asked for one, and need none. Who shows "
              "one "
              "may log in with it (EXTERNAL).")},
      }};
}

void add_listener_tls_options(Table& listener) {
  using intake::ListenerSettings;
  const Option rows[] = {
      {"certificates",
       Place(&ListenerSettings::certificates),
       "",
       {},
       Apply::kLive,
       Secrecy::kOpen,
       N_("Certificates of this listener, where they are not those of [tls].")},
  };
  for (const Option& row : rows) listener.options.push_back(row);
}

}  // namespace sidegate::config
