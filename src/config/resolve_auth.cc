// What the [auth] block needs: the users' file, secrets from files; and what is unwise in it.
#include "base/i18n.h"
#include "base/text.h"
#include "config/option_checks.h"
#include "config/resolve.h"

namespace sidegate::config {
namespace {

constexpr std::size_t kMaxUsers = 64u << 20;
constexpr std::size_t kMaxKeys = 1u << 20;
constexpr std::size_t kMaxCas = 16u << 20;

bool asks(const login::Settings& auth, std::string_view backend) {
  return std::ranges::find(auth.backends, backend) != auth.backends.end();
}

// Missing is no error where it lies by default: there are no users yet.
void read_users(Draft& draft) {
  login::Settings& auth = draft.loaded.settings.auth;
  if (!asks(auth, "file") || auth.user_file.empty()) return;
  if (!draft.request.open_files) return;
  auto text = draft.request.files->text(auth.user_file, kMaxUsers);
  if (text) {
    auth.users = std::move(*text);
    return;
  }
  const bool by_default = auth.user_file == login::Settings().user_file;
  if (!draft.given("auth", 0, "users_file") || (by_default && text.error().missing)) {
    draft.request.files->expect(auth.user_file);
    return;
  }
  draft.error(draft.where("auth", 0, "users_file"), "users_file: " + text.error().what,
              text.error().next.empty() ? _("`sidegate user add NAME` makes it") : text.error().next);
}

void take_secret(Draft& draft, const char* key, const std::string& path, std::string& secret) {
  if (path.empty()) return;
  if (!secret.empty()) {
    draft.error(draft.where("auth", 0, key), tr("{} is given, and the secret itself too", key),
                _("keep the file and remove the other"));
  } else if (auto text = read_secret(draft, "auth", 0, key, path, key)) {
    secret = std::move(*text);
  }
}

// The server process may open nothing but what every server reads: what the file says goes there with the settings.
void read_cas(Draft& draft, const char* key, const std::string& path, std::string& pem) {
  if (path.empty() || !draft.request.open_files) return;
  auto text = draft.request.files->text(path, kMaxCas);
  if (!text)
    return draft.error(draft.where("auth", 0, key), fmt::format("{}: {}", key, text.error().what), text.error().next);
  if (text->find("-----BEGIN ") == std::string::npos)
    return draft.error(draft.where("auth", 0, key), tr("{} holds no certificate in PEM form", path),
                       _("convert it: openssl x509 -inform der -in FILE"));
  pem = std::move(*text);
}

void check_ldap(Draft& draft) {
  login::Settings& auth = draft.loaded.settings.auth;
  if (!asks(auth, "ldap")) return;
  login::LdapSettings& l = auth.ldap;
  read_cas(draft, "ldap_ca_file", l.ca_file, l.ca_pem);
  const Where where = draft.where("auth", 0, "backends");
  const auto unread = [&](const char* key) { return draft.is_unread("auth", 0, key); };
  if (l.url.empty() && !unread("ldap_url"))
    draft.error(where, _("backend ldap needs ldap_url"), _("add ldap_url = \"ldaps://ldap.example.org\""));
  if (l.user_dn.empty() && l.base.empty() && !unread("ldap_user_dn") && !unread("ldap_base"))
    draft.error(where, _("backend ldap needs ldap_user_dn or ldap_base"),
                _("add ldap_user_dn = \"uid=%u,ou=people,dc=example,dc=org\""));
  // Without the user's name in it every user is the same one, or none is found.
  for (const auto& [key, text] : {std::pair("ldap_user_dn", &l.user_dn), std::pair("ldap_filter", &l.filter)}) {
    const bool used = key == std::string_view("ldap_user_dn") ? !text->empty() : l.user_dn.empty() && !text->empty();
    const bool named = text->contains("%u") || text->contains("%n") || text->contains("%d");
    if (used && !named)
      draft.error(draft.where("auth", 0, key), tr("{} has no place for the user's name", key),
                  _("write %u (the whole name), %n (before the @) or %d (behind it) into it"));
  }
  if (!l.starttls && istarts_with(l.url, "ldap://") && !istarts_with(l.url, "ldap://127.") &&
      !istarts_with(l.url, "ldap://localhost") && !istarts_with(l.url, "ldap://[::1]"))
    draft.warn(draft.where("auth", 0, "ldap_starttls"), tr("passwords go to {} in the clear", l.url),
               _("remove ldap_starttls = false, or use ldaps://"));
}

void check_oauth(Draft& draft) {
  login::Settings& auth = draft.loaded.settings.auth;
  if (!asks(auth, "oauth")) return;
  login::OauthSettings& o = auth.oauth;
  read_cas(draft, "oauth_ca_file", o.ca_file, o.ca_pem);
  if (o.introspection_url.empty() && o.jwks_url.empty() && o.jwks_file.empty())
    draft.error(draft.where("auth", 0, "backends"),
                _("backend oauth needs oauth_introspection_url, oauth_jwks_url or oauth_jwks_file"));
  const bool by_keys = !o.jwks_url.empty() || !o.jwks_file.empty();
  if (by_keys && o.audience.empty())
    draft.warn(draft.where("auth", 0, "backends"),
               _("oauth_audience is empty: a token that the provider gave to any other program logs in here"),
               _("set it to what your provider calls this server"));
  if (o.jwks_file.empty()) return;
  if (!draft.request.open_files) return;
  auto text = draft.request.files->text(o.jwks_file, kMaxKeys);
  if (text)
    o.jwks = std::move(*text);
  else
    draft.error(draft.where("auth", 0, "oauth_jwks_file"), "oauth_jwks_file: " + text.error().what, text.error().next);
}

}  // namespace

void resolve_auth(Draft& draft) {
  Settings& s = draft.loaded.settings;
  read_users(draft);
  take_secret(draft, "ldap_bind_password_file", s.ldap_bind_password_file, s.auth.ldap.bind_password);
  take_secret(draft, "oauth_client_secret_file", s.oauth_client_secret_file, s.auth.oauth.client_secret);
  check_ldap(draft);
  check_oauth(draft);
}

}  // namespace sidegate::config
