// What is read from a peer's certificate, as text. Internal to the room.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tls/context.h"
#include "tls/freed.h"

namespace sidegate::tls {

std::string name_text(const X509_NAME* name);            // "CN=mail.example.org,O=Example"
std::vector<std::string> alternative_names(X509* cert);  // DNS and IP entries of subjectAltName
std::vector<std::string> client_names(X509* cert);       // mail addresses, then DNS names, of subjectAltName
std::string common_name(X509* cert);
std::string fingerprint(const X509* cert);               // "sha256:<hex>"
std::optional<int> days_until(const ASN1_TIME* time);    // from now, rounded down; negative: past
int begun_days_until(const ASN1_TIME* time);             // of a time to come
bool matches_name(X509* cert, const std::string& name);  // RFC 6125 section 6; an address against IP entries

CertificateFacts facts_of(X509* cert, const std::string& file);

using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
// Every certificate of a PEM text; kTls where there is none, or one that cannot be read. `name` is for the error.
Result<std::vector<Certificate>> read_certificates(const std::string& pem, const std::string& name);

// The context shows this certificate with this key.
Status use_identity(SSL_CTX* context, const Identity& identity);

}  // namespace sidegate::tls
