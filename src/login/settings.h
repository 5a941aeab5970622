// The [auth] block: who verifies logins, and how much guessing is borne.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sidegate::login {

struct LdapSettings {
  std::string url;              // ldap://, ldaps://, ldapi://
  bool starttls = true;         // on ldap:// that is not loopback
  std::string ca_file, ca_pem;  // ca_pem: the file's content, which the server itself may not open
  std::string user_dn;          // "uid=%u,ou=people,dc=example,dc=org"; or a search:
  std::string base, filter = "(uid=%u)";
  std::string bind_dn, bind_password;  // for the search
  bool operator==(const LdapSettings&) const = default;
};

struct OauthSettings {
  std::string introspection_url, client_id, client_secret;  // RFC 7662
  std::string jwks_url, jwks_file, jwks;                    // RFC 7517; jwks: the file's content
  std::string issuer, audience, scope;
  std::string user_claim = "email";
  std::string ca_file, ca_pem;  // the same
  bool operator==(const OauthSettings&) const = default;
};

struct FailureLimits {             // 0: no limit
  std::uint32_t per_address = 30;  // in `window`
  std::uint32_t per_user = 100;
  Duration window = std::chrono::minutes(10);
  Duration delay =
      std::chrono::milliseconds(500);  // before the answer to a wrong password; grows with each further one
};

struct Settings {
  std::vector<std::string> backends = {"file"};
  std::vector<std::string> mechanisms;  // upper case; empty: all that the back ends can do
  std::string user_file = "/etc/sidegate/users";
  std::string users;  // the file's content
  std::string pam_service = "smtp";
  std::string dovecot_socket = "/run/dovecot/auth-client";
  std::string saslauthd_socket = "/run/saslauthd/mux";
  LdapSettings ldap;
  OauthSettings oauth;
  std::uint32_t concurrent = 8;  // checks at a time, for each back end
  Duration timeout = std::chrono::seconds(10);
  Duration cache = std::chrono::minutes(5);
  FailureLimits limits;
};

}  // namespace sidegate::login
