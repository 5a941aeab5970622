#include <sys/stat.h>

#include "auth/mechanisms.h"
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"
#include "config/secret_file.h"
#include "config/subject.h"
#include "mail/mailbox.h"

namespace sidegate::config {
namespace {

using auth::InsecureAuth;
using deliver::TlsMode;

// "smtps://smtp.example:465" as other programs write it, "smtp:[smtp.example]:587" as Postfix's maps do.
bool is_url(const std::string& host) {
  return host.find("://") != std::string::npos || host.starts_with("smtp:") || host.starts_with("smtps:");
}

// host = "[smtp.example]:587" and host = "smtp.example:465" carry the port.
void split_host(const Subject& s) {
  if (s.relay.host.empty()) return;
  if (is_url(s.relay.host)) {
    return s.error("host", tr("host: {} is no host name", quoted(printable(s.relay.host, 100))),
                   _("write the name alone, and tls = \"implicit\" for smtps: host = \"smtp.example.org\""));
  }
  auto parts = parse_host_port(s.relay.host);
  if (!parts) return s.error("host", "host: " + parts.error().text, _("write host = \"smtp.example.org\""));
  s.relay.host = parts->host;
  if (s.relay.name.empty()) s.relay.name = s.relay.host;
  if (s.relay.tls_name.empty() && s.relay.host.starts_with('['))
    s.relay.tls_name = s.relay.host.substr(1, s.relay.host.size() - 2);
  if (parts->port.empty()) return;
  auto port = parse_port(parts->port);
  if (!port) return s.error("host", "host: " + port.error().text);
  if (s.given("port") && s.relay.port != *port)
    return s.error("port", tr("host says port {}, port says {}", *port, s.relay.port), _("give it once"));
  s.relay.port = *port;
}

void default_port_and_tls(const Subject& s, bool port_known) {
  if (!port_known && s.relay.tls == TlsMode::kImplicit) s.relay.port = 465;  // RFC 8314 section 3.3
  if (!s.given("tls") && s.relay.port == 465) s.relay.tls = TlsMode::kImplicit;
  if (s.given("tls") && s.relay.tls == TlsMode::kStartTls && s.relay.port == 465) {
    s.warn("tls", _("port 465 speaks TLS from the first octet; with tls = \"starttls\" both sides would wait"),
           _("write tls = \"implicit\""));
  }
  if (s.given("tls") && s.relay.tls == TlsMode::kImplicit && s.relay.port == 587) {
    s.warn("tls", _("port 587 begins without TLS; with tls = \"implicit\" both sides would wait"),
           _("write tls = \"starttls\", or port = 465"));
  }
}

void read_password(const Subject& s) {
  if (!s.relay.password.empty() && !s.relay.password_file.empty())
    return s.error("password", _("password and password_file are both given"),
                   _("keep password_file and remove password"));
  const std::string& path = s.relay.password_file;
  if (path.empty()) return;
  if (auto secret = read_secret(s.draft, "relay", s.index, "password_file", path, s.title()))
    s.relay.password = std::move(*secret);
}

// TLS shows nobody who the peer is: none, or any certificate will do.
bool is_unverified(const RelayBlock& r) {
  return r.tls == TlsMode::kNone || (!r.tls_verify && r.tls_fingerprints.empty());
}

void check_credentials(const Subject& s) {
  const RelayBlock& r = s.relay;
  if (s.unread({"user", "password", "password_file", "tls_certificate"})) return;
  const bool has_password = !r.password.empty() || !r.password_file.empty();
  const bool has_certificate = !r.certificate.cert_file.empty();
  if (r.has_credentials() && !has_password && has_certificate) return;
  if (r.has_credentials() && !has_password) {
    return s.error("user", _("user is given and no password"),
                   _("add password_file = \"/etc/sidegate/NAME.password\""));
  }
  if (!r.has_credentials()) {
    if (has_password) s.warn("password", _("the password is never used: there is no user"), _("add user = \"...\""));
    if (r.insecure_auth != InsecureAuth::kNever)
      s.warn("insecure_auth", _("insecure_auth is given and there is no user"));
    return;
  }
  // Promise 5: a password never leaves without a verified TLS peer unless the block says so in words.
  if (is_unverified(r) && r.insecure_auth == InsecureAuth::kNever) {
    s.warn(r.tls == TlsMode::kNone ? "tls" : "tls_verify",
           _("the password will not be sent to a peer that TLS has not verified: mail for this relay waits"),
           r.tls == TlsMode::kNone
               ? _("write tls = \"starttls\"; insecure_auth = \"challenge\" is for a relay that has no TLS at all")
               : _("remove tls_verify = false, or name the certificate in tls_fingerprints"));
  }
}

void warn_about_tls(const Subject& s) {
  const RelayBlock& r = s.relay;
  if (r.tls == TlsMode::kNone) s.warn("tls", _("tls = \"none\": everyone on the way can read and change this mail"));
  if (!r.tls_verify && r.tls != TlsMode::kNone && r.tls_fingerprints.empty()) {
    s.warn("tls_verify", _("tls_verify = false: whoever stands in between can pose as this relay"),
           _("name the certificate in tls_fingerprints instead"));
  }
  if (r.has_credentials() && r.insecure_auth == InsecureAuth::kAll) {
    s.warn("insecure_auth", _("insecure_auth = true: the password can be read by everyone on the way"),
           _("insecure_auth = \"challenge\" does not show it"));
  }
  if (r.has_credentials() && r.insecure_auth == InsecureAuth::kChallenge) {
    s.warn("insecure_auth",
           _("insecure_auth = \"challenge\": who listens on the way can guess at the password without being seen"));
    auto shows_password = [](const std::string& word) {
      const auth::Mechanism* known = auth::find_mechanism(word);
      return known != nullptr && known->shows == auth::Shows::kPassword;
    };
    if (is_unverified(r) && !r.mechanisms.empty() && std::ranges::all_of(r.mechanisms, shows_password)) {
      s.warn("mechanisms",
             _("mechanisms names only those that show the password, and insecure_auth = \"challenge\" "
               "allows none of them here: mail for this relay waits"),
             _("add \"CRAM-MD5\" or \"SCRAM-SHA-256\" to mechanisms, or remove mechanisms"));
    }
  }
}

void check_ca_file(const Subject& s) {
  if (s.relay.tls_ca_file.empty() || !s.draft.request.open_files) return;
  auto text = s.draft.request.files->text(s.relay.tls_ca_file, 16 << 20);
  if (!text)
    return s.error("tls_ca_file", text.error().what,
                   _("correct the path, or remove tls_ca_file to trust the system's CAs"));
  if (auto fault = fault_of_authorities(s.relay.tls_ca_file, *text))
    return s.error("tls_ca_file", fault->what, fault->next);
  s.relay.tls_ca_pem = std::move(*text);
}

// A password in the main file is only as secret as that file.
void check_main_file(const Subject& s) {
  const Where where = s.draft.where("relay", s.index, "password");
  if (!s.given("password") || where.line == 0 || !s.draft.request.open_files) return;
  struct stat st{};
  if (stat(where.file.c_str(), &st) == 0 && (st.st_mode & 07) != 0) {
    s.warn("password",
           tr("{} holds a password and can be read by every user of this machine (mode {:04o})", where.file,
              st.st_mode & 07777u),
           tr("type: chmod 640 {}; or use password_file", shell_quoted(where.file)));
  }
}

// The account's address: as it was given, else the user it logs in as.
void resolve_identity(const Subject& s) {
  RelayBlock& r = s.relay;
  if (s.unread({"user", "address", "allowed", "identity"})) return;
  const bool is_address = r.user.find('@') != std::string::npos && mail::is_mailbox(r.user, true);
  if (r.address.empty() && is_address) r.address = r.user;
  using deliver::Identity;
  if (!r.allowed.empty() && !s.given("identity")) r.identity = Identity::kAllowed;
  if (!r.allowed.empty() && r.identity != Identity::kAllowed)
    s.warn("allowed", _("allowed counts with identity = \"allowed\" alone"), _("remove identity, or allowed"));
  if (r.identity == Identity::kAllowed && r.allowed.empty())
    s.error("identity", _("identity = \"allowed\" needs the list of what is allowed"),
            _("add allowed = [\"@example.org\"]"));
  if (r.identity == Identity::kKeep || !r.address.empty()) return;
  const std::size_t dot = r.host.find('.');
  const bool deep = dot != std::string::npos && r.host.find('.', dot + 1) != std::string::npos;
  const std::string domain = deep && !is_numeric_address(r.host) ? r.host.substr(dot + 1) : "example.org";
  const std::string user = r.user.empty() || !mail::is_mailbox(r.user + "@" + domain, true) ? "me" : r.user;
  s.error("identity",
          r.identity == Identity::kAllowed
              ? _("identity = \"allowed\" needs the account's mail address, and user is none")
              : _("identity = \"account\" needs the account's mail address, and user is none"),
          tr("add address = {}", quoted(user + "@" + domain)));
}

void check_names(Draft& draft) {
  for (std::size_t i = 0; i < draft.relays.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!iequals(draft.relays[i].name, draft.relays[j].name)) continue;
      draft.error(draft.where("relay", i, "name"),
                  tr("relay {} is there twice, the first time at {}", quoted(draft.relays[i].name),
                     draft.where("relay", j, "name").text()),
                  _("give each a name of its own"));
      break;
    }
  }
}

}  // namespace

void resolve_relays(Draft& draft) {
  for (std::size_t i = 0; i < draft.relays.size(); ++i) {
    const Subject s{draft, i, draft.relays[i]};
    resolve_preset(draft, i);
    const std::uint16_t before = s.relay.port;
    s.relay.port = s.given("port") ? before : 0;
    split_host(s);
    const bool port_known = s.relay.port != 0;
    if (!port_known) s.relay.port = 587;
    default_port_and_tls(s, port_known);
    resolve_places(draft, i);
    read_password(s);
    check_credentials(s);
    resolve_identity(s);
    warn_about_tls(s);
    check_ca_file(s);
    check_main_file(s);
  }
  check_names(draft);
  if (draft.relays.empty() && !draft.loaded.settings.direct.enabled)
    draft.warn(draft.where("direct", 0, "enabled"),
               _("no [[relay]] is given, and direct delivery is switched off: mail is taken and has no way out"),
               _("add a [[relay]] block with host, user and password_file"));
  for (RelayBlock& relay : draft.relays) draft.loaded.settings.deliver.relays.push_back(std::move(relay));
}

}  // namespace sidegate::config
