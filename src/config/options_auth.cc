// The [auth] block.
#include "base/i18n.h"
#include "config/option_checks.h"
#include "config/options.h"

namespace sidegate::config {
namespace {

using enum Apply;
using enum Secrecy;
constexpr auto kAuth = &Settings::auth;

std::vector<Option> general_options() {
  using login::Settings;
  return {
      {"backends", Place(kAuth, &Settings::backends).checked(check_auth_backend), "file", kAny, kLive, kOpen,
       N_("Who knows users and passwords, asked in this order: file (users_file), pam, dovecot, saslauthd, ldap, oauth "
          "(tokens).")},
      {"mechanisms", Place(kAuth, &Settings::mechanisms).checked(check_server_mechanism), "", kAny, kLive, kOpen,
       N_("What is offered: [\"PLAIN\", \"LOGIN\"]. Empty: all that work for every user of the back ends: PLAIN and "
          "LOGIN; "
          "SCRAM and CRAM-MD5 where users_file alone is asked and has the keys of all; OAUTHBEARER and XOAUTH2 with "
          "oauth; "
          "EXTERNAL to clients with a certificate.")},
      {"users_file", Place(kAuth, &Settings::user_file).checked(check_path), "/etc/sidegate/users", kAny, kLive, kOpen,
       N_("Our own users, a line each, written by `sidegate user` and read again when it changes.")},
      {"pam_service", Place(kAuth, &Settings::pam_service).checked(check_service_name), "smtp", kAny, kLive, kOpen,
       N_("The service of backend pam: a file in /etc/pam.d; where there is none, PAM takes \"other\".")},
      {"dovecot_socket", Place(kAuth, &Settings::dovecot_socket).checked(check_path), "/run/dovecot/auth-client", kAny,
       kLive, kOpen, N_("Where backend dovecot finds Dovecot's authentication server (unix_listener auth-client).")},
      {"saslauthd_socket", Place(kAuth, &Settings::saslauthd_socket).checked(check_path), "/run/saslauthd/mux", kAny,
       kLive, kOpen, N_("Where backend saslauthd finds its server; the service's user must be in the group sasl.")},
      {"timeout",
       Place(kAuth, &Settings::timeout),
       "10s",
       {"100ms", "2min"},
       kLive,
       kOpen,
       N_("How long a back end may take; then the client is answered 454 and may come again.")},
      {"concurrent",
       Place(kAuth, &Settings::concurrent),
       "8",
       {"1", "100"},
       kRestart,
       kOpen,
       N_("Checks under way at the same time, for each back end by itself.")},
      {"remember",
       Place(kAuth, &Settings::cache),
       "5min",
       {"0", "1d"},
       kLive,
       kOpen,
       N_("How long a password that was right is remembered (as a keyed hash, in memory alone) and not asked again. 0: "
          "not at all.")},
  };
}

std::vector<Option> limit_options() {
  using login::FailureLimits;
  constexpr auto kLimits = &login::Settings::limits;
  return {
      {"max_failures_per_address",
       Place(kAuth, kLimits, &FailureLimits::per_address),
       "30",
       {"0", "1000000"},
       kLive,
       kOpen,
       N_("Failed logins from one address (IPv6: one /64) within failure_window; then it is answered 454 without a "
          "look, "
          "except users who have logged in from there before. 0: no limit.")},
      {"max_failures_per_user",
       Place(kAuth, kLimits, &FailureLimits::per_user),
       "100",
       {"0", "1000000"},
       kLive,
       kOpen,
       N_("Failed logins as one user within failure_window; then addresses from which that user has not logged in "
          "before "
          "are answered 454. 0: no limit.")},
      {"failure_window",
       Place(kAuth, kLimits, &FailureLimits::window),
       "10min",
       {"1s", "1d"},
       kLive,
       kOpen,
       N_("After about this time failures are forgotten.")},
      {"failure_delay",
       Place(kAuth, kLimits, &FailureLimits::delay),
       "500ms",
       {"0", "1min"},
       kLive,
       kOpen,
       N_("How long the answer to a wrong password waits; it doubles from the fourth failure on, up to 8s.")},
  };
}

std::vector<Option> ldap_options() {
  using login::LdapSettings;
  constexpr auto kLdap = &login::Settings::ldap;
  return {
      {"ldap_url", Place(kAuth, kLdap, &LdapSettings::url).checked(check_ldap_url), "", kAny, kLive, kOpen,
       N_("Backend ldap: \"ldap://ldap.example.org\", \"ldaps://...\" or \"ldapi://...\".")},
      {"ldap_starttls", Place(kAuth, kLdap, &LdapSettings::starttls), "true", kAny, kLive, kOpen,
       N_("TLS on ldap://, before any password; false only to this machine.")},
      {"ldap_ca_file", Place(kAuth, kLdap, &LdapSettings::ca_file).checked(check_path), "", kAny, kLive, kOpen,
       N_("CA certificates for the directory server, readable by the service's user. Empty: the system's.")},
      {"ldap_user_dn", Place(kAuth, kLdap, &LdapSettings::user_dn), "", kAny, kLive, kOpen,
       N_("The user's entry: \"uid=%u,ou=people,dc=example,dc=org\"; %u is the name, %n and %d its parts around the @. "
          "Empty: it is searched for.")},
      {"ldap_base", Place(kAuth, kLdap, &LdapSettings::base), "", kAny, kLive, kOpen,
       N_("Below which entry users are searched for.")},
      {"ldap_filter", Place(kAuth, kLdap, &LdapSettings::filter), "(uid=%u)", kAny, kLive, kOpen,
       N_("What the search asks for; it must find one entry.")},
      {"ldap_bind_dn", Place(kAuth, kLdap, &LdapSettings::bind_dn), "", kAny, kLive, kOpen,
       N_("As whom the search is made. Empty: as nobody.")},
      {"ldap_bind_password", Place(kAuth, kLdap, &LdapSettings::bind_password), "", kAny, kLive, kSecret,
       N_("Its password; ldap_bind_password_file is better.")},
      {"ldap_bind_password_file", Place(&Settings::ldap_bind_password_file).checked(check_secret_path), "", kAny, kLive,
       kOpen, N_("A file that holds it, readable by its owner alone (0600), or by the service's group (0640).")},
  };
}

std::vector<Option> oauth_options() {
  using login::OauthSettings;
  constexpr auto kOauth = &login::Settings::oauth;
  return {
      {"oauth_introspection_url", Place(kAuth, kOauth, &OauthSettings::introspection_url).checked(check_http_url), "",
       kAny, kLive, kOpen, N_("Backend oauth: where the provider says whether a token is good (RFC 7662).")},
      {"oauth_client_id", Place(kAuth, kOauth, &OauthSettings::client_id), "", kAny, kLive, kOpen,
       N_("As whom we ask there.")},
      {"oauth_client_secret", Place(kAuth, kOauth, &OauthSettings::client_secret), "", kAny, kLive, kSecret,
       N_("With which secret; oauth_client_secret_file is better.")},
      {"oauth_client_secret_file", Place(&Settings::oauth_client_secret_file).checked(check_secret_path), "", kAny,
       kLive, kOpen, N_("A file that holds it, readable by its owner alone (0600), or by the service's group (0640).")},
      {"oauth_jwks_url", Place(kAuth, kOauth, &OauthSettings::jwks_url).checked(check_http_url), "", kAny, kLive, kOpen,
       N_("Where the provider's public keys are (RFC 7517); signed tokens (RS256, ES256) are verified with them.")},
      {"oauth_jwks_file", Place(kAuth, kOauth, &OauthSettings::jwks_file).checked(check_path), "", kAny, kLive, kOpen,
       N_("Such keys in a file.")},
      {"oauth_issuer", Place(kAuth, kOauth, &OauthSettings::issuer), "", kAny, kLive, kOpen,
       N_("The issuer (iss) that a token must name. Empty: any.")},
      {"oauth_audience", Place(kAuth, kOauth, &OauthSettings::audience), "", kAny, kLive, kOpen,
       N_("The audience (aud) that a token must name. Empty: any.")},
      {"oauth_scope", Place(kAuth, kOauth, &OauthSettings::scope), "", kAny, kLive, kOpen,
       N_("The scope that a token must have. Empty: any.")},
      {"oauth_user_claim", Place(kAuth, kOauth, &OauthSettings::user_claim), "email", kAny, kLive, kOpen,
       N_("Which claim of the token is the user's name.")},
      {"oauth_ca_file", Place(kAuth, kOauth, &OauthSettings::ca_file).checked(check_path), "", kAny, kLive, kOpen,
       N_("CA certificates for the provider, readable by the service's user. Empty: the system's.")},
  };
}

}  // namespace

Table auth_table() {
  Table table{"auth", false, N_("Who may log in (AUTH), and how much guessing is borne."), general_options()};
  for (auto options : {limit_options(), ldap_options(), oauth_options()}) {
    for (Option& option : options) table.options.push_back(std::move(option));
  }
  return table;
}

}  // namespace sidegate::config
