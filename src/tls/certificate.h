// What is read from a peer's certificate, as text. Internal to the room.
#pragma once

#include <openssl/x509.h>

#include <optional>
#include <string>
#include <vector>

namespace sidegate::tls {

std::string name_text(const X509_NAME* name);            // "CN=mail.example.org,O=Example"
std::vector<std::string> alternative_names(X509* cert);  // DNS and IP entries of subjectAltName
std::string common_name(X509* cert);
std::string fingerprint(const X509* cert);               // "sha256:<hex>"
std::optional<int> days_until(const ASN1_TIME* time);    // from now, rounded down; negative: past
int whole_days_since(const ASN1_TIME* time);             // of a past time
int begun_days_until(const ASN1_TIME* time);             // of a time to come
bool matches_name(X509* cert, const std::string& name);  // RFC 6125 section 6; an address against IP entries

}  // namespace sidegate::tls
