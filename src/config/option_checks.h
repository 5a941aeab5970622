// What a text must look like, for the rows of options.cc: each one judges and normalises in place. Pure.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::config {

Status check_host_name(std::string& text);       // our own name: domain or address literal; empty: the default
Status check_domain(std::string& text);          // to lower case; an address literal will do
Status check_delimiter(std::string& text);       // characters that may part user and tag
Status check_path(std::string& text);            // absolute; empty: none
Status check_secret_path(std::string& text);     // that, or "credential:NAME"
Status check_control_socket(std::string& text);  // absolute, and short enough for a Unix socket
Status check_mailbox_path(std::string& text);    // "/var/mail/%u", "~/Maildir/"
Status check_lmtp(std::string& text);            // "/run/dovecot/lmtp", "unix:...", "host:port" -> without prefix
Status check_submit_socket(std::string& text);   // the same; empty: none
Status check_level(std::string& text);           // debug, info, warning, error
Status check_mailbox(std::string& text);         // RFC 5321 mailbox, empty: none
Status check_listen_address(std::string& text);  // numeric, "[::1]" or "::1", or an absolute path
Status check_network(std::string& text);         // CIDR or a single address; host bits must be clear
Status check_dns_server(std::string& text);      // "192.0.2.53", "192.0.2.53@5353", "192.0.2.53:5353" -> with '@'
Status check_mechanism(std::string& text);       // to upper case; one that we know
Status check_fingerprint(std::string& text);     // "sha256:<hex>", or the form with colons that openssl x509 prints
Status check_block_name(std::string& text);      // letters, digits and . _ - : [ ]
Status check_unix_user(std::string& text);
Status check_auth_backend(std::string& text);       // file, pam, dovecot, saslauthd, ldap, oauth
Status check_server_mechanism(std::string& text);   // to upper case; one that we offer
Status check_milter_address(std::string& text);     // milter::parse_address()
Status check_milter_macro(std::string& text);       // "name=value"; braces around the name are taken away
Status check_service_name(std::string& text);       // of a file in /etc/pam.d
Status check_ldap_url(std::string& text);           // ldap://, ldaps://, ldapi://; empty: none
Status check_sender(std::string& text);             // "me@example.org", "@example.org", "*"
Status check_user_pattern(std::string& text);       // a user's name, or "*@example.org"
Status check_dkim_selector(std::string& text);      // to lower case
Status check_field_name(std::string& text);         // of a header field
Status check_canonicalization(std::string& text);   // "relaxed/simple"
Status check_map_path(std::string& text);           // absolute; Postfix's "hash:" and its kin are taken away
Status check_masquerade_domain(std::string& text);  // "example.org", "!lab.example.org"
Status check_address_class(std::string& text);      // "envelope_sender" ...
Status check_allowed(std::string& text);            // "me@example.org", "@example.org", ".example.org"
Status check_http_url(std::string& text);           // https://, or http:// to this machine; empty: none
Status check_policy_domain(std::string& text);      // "example.org", ".example.org", "[192.0.2.1]"
Status check_tls_match(std::string& text);          // hostname, nexthop, dot-nexthop, or a name as above
Status check_reply_stage(std::string& text);
Status check_reply_code(std::string& text);
Status check_reply_status(std::string& text);
Status check_reply_meaning(std::string& text);
Status check_source_address(std::string& text);  // numeric, of a family of its own
Status check_relay_host(std::string& text);      // "host", "host:port", "[address]:port"

bool is_numeric_address(const std::string& text);   // IPv4 or IPv6, no brackets
bool is_loopback_address(const std::string& text);  // 127.0.0.0/8, ::1
bool is_private_network(const std::string& cidr);   // loopback, RFC 1918, RFC 6598, RFC 4193, link-local

bool network_holds(const std::string& cidr, const std::string& address);

// "host", "host:port", "[host]:port", "[2001:db8::1]:587", "2001:db8::1". port is empty when there is none.
struct HostPort {
  std::string host;  // IPv6 in brackets
  std::string port;
};
Result<HostPort> parse_host_port(std::string_view text);

}  // namespace sidegate::config
