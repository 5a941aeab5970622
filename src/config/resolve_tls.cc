// Certificates: where a key lies, what the files hold, and whether a listener can serve with them.
#include "base/i18n.h"
#include "base/text.h"
#include "config/resolve.h"
#include "config/secret_file.h"
#include "tls/context.h"

namespace sidegate::config {
namespace {

using intake::ListenerTls;

constexpr std::size_t kMostPem = 1 << 20;

// "/etc/letsencrypt/live/example.org/" is certbot's folder; lego writes example.org.crt and example.org.key.
void complete(tls::Identity& identity) {
  if (identity.cert_file.ends_with('/')) identity.cert_file += "fullchain.pem";
  if (!identity.key_file.empty()) return;
  const std::string& cert = identity.cert_file;
  const std::size_t slash = cert.rfind('/') + 1;
  const std::string_view name = std::string_view(cert).substr(slash);
  if (name == "fullchain.pem" || name == "cert.pem")
    identity.key_file = cert.substr(0, slash) + "privkey.pem";
  else if (name.ends_with(".crt"))
    identity.key_file = cert.substr(0, cert.size() - 4) + ".key";
  else
    identity.key_file = cert;  // both in one file
}

bool read(Draft& draft, const Where& where, tls::Identity& identity) {
  Files& files = *draft.request.files;
  auto key = files.key(identity.key_file, is_container_secret(identity.key_file));
  auto cert = identity.cert_file == identity.key_file ? key : files.text(identity.cert_file, kMostPem);
  for (const auto* one : {&cert, &key}) {
    if (*one) continue;
    draft.error(where, "certificates: " + one->error().what, one->error().next);
    return false;
  }
  identity.cert_pem = std::move(*cert);
  identity.key_pem = std::move(*key);
  return true;
}

bool read_all(Draft& draft, const Where& where, std::vector<tls::Identity>& identities) {
  bool good = true;
  for (tls::Identity& identity : identities) {
    complete(identity);
    if (draft.request.open_files) good = read(draft, where, identity) && good;
  }
  return good;
}

void read_client_ca(Draft& draft) {
  tls::ServerSettings& server = draft.loaded.settings.tls;
  if (server.client_ca_file.empty() || !draft.request.open_files) return;
  const Where where = draft.where("tls", 0, "client_ca_file");
  auto text = draft.request.files->text(server.client_ca_file, 16 * kMostPem);
  if (!text) return draft.error(where, text.error().what, text.error().next);
  if (auto fault = fault_of_authorities(server.client_ca_file, *text))
    return draft.error(where, fault->what, fault->next);
  server.client_ca_pem = std::move(*text);
}

// By themselves, so that the fault is told where it stands. False: told of.
bool check_ciphers(Draft& draft) {
  Status known = tls::check_ciphers(draft.loaded.settings.tls.ciphers);
  if (!known)
    draft.error(draft.where("tls", 0, "ciphers"), known.error().text,
                _("these are of TLS 1.2, as `openssl ciphers` lists them; without the key there are good ones"));
  return known.has_value();
}

// A context is made only to hear what is wrong with it.
void try_to_serve(Draft& draft, const Where& where, const tls::ServerSettings& server) {
  if (server.identities.empty() || !draft.request.open_files) return;
  auto made = tls::ServerContext::serve(server);
  if (!made) return draft.error(where, made.error().text, _("certificate and key are PEM files that belong together"));
  for (const tls::CertificateFacts& facts : (*made)->certificates()) {
    if (tls::days_left(facts, system_clock().wall()) < 0)
      draft.warn(where, tr("certificate {} has expired", facts.file), _("renew it"));
  }
}

// Programs of this machine turn TLS on where it is offered, and give up when the certificate is not to their liking.
void drop_unverified(Draft& draft, std::size_t i, intake::ListenerSettings& l) {
  if (l.profile != intake::Profile::kLocal || l.tls != ListenerTls::kStartTls || !draft.request.open_files) return;
  std::string why = _("there is none");
  for (const tls::Identity& identity : l.tls_server.identities) {
    Status verified = tls::verifies(identity, l.smtp.hostname);
    if (verified) return;
    why = verified.error().text;
  }
  l.tls_server.identities.clear();
  draft.warn(draft.where("listener", i, "tls"),
             tr("listener {}: STARTTLS is not offered, programs would not take the certificate: {}", l.name, why),
             _("give it a certificate for its hostname from a CA that this machine trusts, or write tls = \"none\""));
}

}  // namespace

std::optional<FileError> fault_of_authorities(const std::string& path, const std::string& pem) {
  if (pem.find("-----BEGIN ") == std::string::npos)
    return FileError{tr("{} holds no certificate in PEM form", path),
                     _("convert it: openssl x509 -inform der -in FILE")};
  auto made = tls::ClientContext::make({.ca_file = path, .ca_pem = pem});
  if (made) return std::nullopt;
  return FileError{printable(made.error().text, 500),
                   tr("openssl x509 -noout -subject -in {} says what is in it", shell_quoted(path))};
}

void resolve_tls(Draft& draft) {
  Settings& s = draft.loaded.settings;
  const Where where = draft.where("tls", 0, "certificates");
  read_client_ca(draft);
  const bool sound = check_ciphers(draft) &&
                     (s.tls.client_ca_file.empty() || !s.tls.client_ca_pem.empty() || !draft.request.open_files);
  if (read_all(draft, where, s.tls.identities) && sound) try_to_serve(draft, where, s.tls);
  for (std::size_t i = 0; i < s.listeners.size(); ++i) {
    intake::ListenerSettings& l = s.listeners[i];
    l.tls_server = s.tls;
    if (!l.certificates.empty()) {
      const Where own = draft.where("listener", i, "certificates");
      const bool good = read_all(draft, own, l.certificates);
      l.tls_server.identities = l.certificates;
      if (good && sound) try_to_serve(draft, own, l.tls_server);
    }
    drop_unverified(draft, i, l);
  }
}

}  // namespace sidegate::config
