// Judging a peer: what is wrong with its certificate, in the words an operator needs.
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace sidegate::tls {
namespace {

std::string days_text(int days) {
  return days == 1 ? "1 day" : std::to_string(days) + " days";
}

std::string expired_text(X509* cert) {
  return "certificate expired " + ended_text(days_until(X509_get0_notAfter(cert)).value_or(-1));
}

std::string not_yet_text(X509* cert) {
  int ahead = begun_days_until(X509_get0_notBefore(cert));
  return "certificate is not valid yet (begins in " + days_text(ahead) + "; is the clock right?)";
}

// "sha256:AB:CD..." and "abcd..." are the same pin.
std::string plain_pin(std::string_view pin) {
  std::string text = lower(trim(pin));
  if (text.starts_with("sha256:")) text.erase(0, 7);
  std::erase(text, ':');
  return "sha256:" + text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < 10; ++i) text += (i == 0 ? "" : ", ") + words[i];
  if (words.size() > 10) text += ", ...";
  return text;
}

std::string pin_trouble(const std::string& fingerprint, const std::vector<std::string>& pins) {
  std::vector<std::string> wanted;
  for (const auto& pin : pins) wanted.push_back(plain_pin(pin));
  if (std::ranges::find(wanted, fingerprint) != wanted.end()) return {};
  return "certificate's fingerprint is " + fingerprint + "; pinned is " + joined(wanted);
}

std::string validity_trouble(X509* cert) {
  if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) return expired_text(cert);
  if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) return not_yet_text(cert);
  return {};
}

std::string chain_trouble(long result, X509* cert, const Verdict& verdict, const PeerPolicy& policy) {
  std::string where = policy.ca_file.empty() ? "the system's CAs" : policy.ca_file;
  switch (result) {
    case X509_V_OK:
      return {};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      // The leaf is looked at on its own: what is left is a CA above it.
      return "a CA certificate in the chain has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "a CA certificate in the chain is not valid yet (is the clock right?)";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "certificate is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "certificate is signed by an unknown CA (" + verdict.issuer + " is not among " + where + ")";
    case X509_V_ERR_INVALID_PURPOSE:
      return "certificate is not meant for a server";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return "certificate's key is too small";
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return "certificate is signed with a weak digest";
    case X509_V_ERR_CERT_REVOKED:
      return "certificate is revoked";
    default:
      return std::string("certificate is not accepted: ") + X509_verify_cert_error_string(result);
  }
}

// By a list of names, as Postfix does it: those of the certificate, or its common name where it has none.
bool fits_one_of(X509* cert, const Verdict& verdict, const std::vector<std::string>& patterns) {
  std::vector<std::string> names = verdict.names;
  if (names.empty()) names.push_back(common_name(cert));
  return std::ranges::any_of(names, [&](const std::string& name) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) { return name_fits(name, pattern); });
  });
}

std::string name_trouble(X509* cert, const Verdict& verdict, const PeerPolicy& policy) {
  if (!policy.names.empty()) {
    if (fits_one_of(cert, verdict, policy.names)) return {};
    std::string names = verdict.names.empty() ? common_name(cert) : joined(verdict.names);
    return "certificate is for " + (names.empty() ? "no name" : names) + "; it must be for " + joined(policy.names);
  }
  if (policy.name.empty()) return "no name was given that the certificate could be checked against";
  if (matches_name(cert, policy.name)) return {};
  std::string names = verdict.names.empty() ? common_name(cert) : joined(verdict.names);
  return "certificate is for " + (names.empty() ? "no name" : names) + "; you asked for " + policy.name;
}

// RFC 7671: what the TLSA records say, and nothing else.
std::string dane_trouble(SSL* ssl, X509* cert, Verdict& verdict, const PeerPolicy& policy) {
  const long result = SSL_get_verify_result(ssl);
  std::uint8_t usage = 0;
  const int depth = SSL_get0_dane_authority(ssl, nullptr, nullptr);
  const bool matched = depth >= 0 && SSL_get0_dane_tlsa(ssl, &usage, nullptr, nullptr, nullptr, nullptr) >= 0;
  if (result == X509_V_OK && matched) {
    verdict.by = usage == 3 ? "dane-ee" : "dane-ta";
    return {};
  }
  verdict.fault = Fault::kTlsa;
  if (result == X509_V_ERR_HOSTNAME_MISMATCH) {
    verdict.fault = Fault::kName;
    return "certificate is for " + (verdict.names.empty() ? common_name(cert) : joined(verdict.names)) +
           "; with its DANE-TA record it must be for " + joined(policy.names);
  }
  if (result == X509_V_ERR_CERT_HAS_EXPIRED) {
    verdict.fault = Fault::kExpired;
    return expired_text(cert);
  }
  const std::string count = std::to_string(policy.tlsa.size()) + (policy.tlsa.size() == 1 ? " record" : " records");
  if (result == X509_V_ERR_DANE_NO_MATCH || result == X509_V_OK || !matched)
    return "certificate matches none of the TLSA records of " + policy.name + " (" + count + ")";
  return std::string("certificate is not accepted: ") + X509_verify_cert_error_string(result);
}

// The first thing that is wrong; empty: nothing. Dates come from the certificate itself: a resumed session carries the
// verification of an earlier day.
std::string trouble_with(SSL* ssl, X509* cert, Verdict& verdict, const PeerPolicy& policy) {
  if (!policy.tlsa.empty()) return dane_trouble(ssl, cert, verdict, policy);
  if (!policy.fingerprints.empty()) {
    verdict.by = "pin";
    verdict.fault = Fault::kUntrusted;
    return pin_trouble(verdict.fingerprint, policy.fingerprints);
  }
  verdict.by = "pkix";
  verdict.fault = Fault::kExpired;
  std::string trouble = validity_trouble(cert);
  if (!trouble.empty()) return trouble;
  verdict.fault = Fault::kUntrusted;
  trouble = chain_trouble(SSL_get_verify_result(ssl), cert, verdict, policy);
  if (!trouble.empty()) return trouble;
  verdict.fault = Fault::kName;
  return name_trouble(cert, verdict, policy);
}

}  // namespace

std::string ended_text(int days_left) {
  const int ago = days_ended(days_left);
  return ago == 0 ? "today" : days_text(ago) + " ago";
}

int days_ended(int days_left) {
  return std::max(0, -days_left - 1);  // days_left is rounded down: -1 from the first second on
}

namespace {

// Of a client: what its certificate says, and whether it may be believed.
void describe_client(SSL* ssl, X509* cert, Verdict& verdict) {
  verdict.subject = name_text(X509_get_subject_name(cert));
  verdict.issuer = name_text(X509_get_issuer_name(cert));
  verdict.fingerprint = fingerprint(cert);
  verdict.days_left = days_until(X509_get0_notAfter(cert));
  verdict.why = validity_trouble(cert);
  if (long result = SSL_get_verify_result(ssl); verdict.why.empty() && result != X509_V_OK)
    verdict.why = std::string("certificate is not accepted: ") + X509_verify_cert_error_string(result);
  verdict.verified = verdict.why.empty();
  if (verdict.verified) verdict.names = client_names(cert);
}

Verdict version_and_cipher(SSL* ssl) {
  Verdict verdict;
  if (ssl == nullptr) return verdict;
  verdict.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    verdict.cipher = SSL_CIPHER_get_name(cipher);
    verdict.bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  return verdict;
}

}  // namespace

Verdict describe(SSL* ssl) {
  Verdict verdict = version_and_cipher(ssl);
  if (ssl == nullptr) return verdict;
  std::unique_ptr<X509, void (*)(X509*)> cert(SSL_get1_peer_certificate(ssl), X509_free);
  if (cert != nullptr) describe_client(ssl, cert.get(), verdict);
  return verdict;
}

Verdict judge(SSL* ssl, const PeerPolicy& policy) {
  Verdict verdict = version_and_cipher(ssl);
  std::unique_ptr<X509, void (*)(X509*)> cert(SSL_get1_peer_certificate(ssl), X509_free);
  if (cert == nullptr) {
    verdict.why = "the peer showed no certificate";
    verdict.fault = Fault::kUntrusted;
    return verdict;
  }
  verdict.subject = name_text(X509_get_subject_name(cert.get()));
  verdict.issuer = name_text(X509_get_issuer_name(cert.get()));
  verdict.names = alternative_names(cert.get());
  verdict.fingerprint = fingerprint(cert.get());
  verdict.days_left = days_until(X509_get0_notAfter(cert.get()));
  std::string trouble = trouble_with(ssl, cert.get(), verdict, policy);
  if (trouble.empty()) verdict.fault = Fault::kNone;
  if (!policy.verify && policy.fingerprints.empty()) {
    verdict.by.clear();
    verdict.why = "verification is switched off" + (trouble.empty() ? "" : " (" + trouble + ")");
  } else {
    verdict.verified = trouble.empty();
    if (!trouble.empty()) verdict.by.clear();
    verdict.why = std::move(trouble);
  }
  return verdict;
}

}  // namespace sidegate::tls
