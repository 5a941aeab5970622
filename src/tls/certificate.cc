#include "tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/text.h"
#include "tls/setup.h"

namespace sidegate::tls {
namespace {

std::string address_text(const ASN1_OCTET_STRING* octets) {
  int family = ASN1_STRING_length(octets) == 4 ? AF_INET : ASN1_STRING_length(octets) == 16 ? AF_INET6 : AF_UNSPEC;
  char text[INET6_ADDRSTRLEN] = "";
  if (family == AF_UNSPEC) return {};
  inet_ntop(family, ASN1_STRING_get0_data(octets), text, sizeof(text));
  return text;
}

std::string string_text(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

}  // namespace

std::string name_text(const X509_NAME* name) {
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  long size = BIO_get_mem_data(out.get(), &text);
  return printable({text, static_cast<std::size_t>(size)}, 500);
}

std::vector<std::string> alternative_names(X509* cert) {
  std::vector<std::string> names;
  auto* entries = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(entries); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(entries, i);
    if (entry->type == GEN_DNS) names.push_back(printable(string_text(entry->d.dNSName), 255));
    if (entry->type == GEN_IPADD) names.push_back(address_text(entry->d.iPAddress));
  }
  GENERAL_NAMES_free(entries);
  return names;
}

std::vector<std::string> client_names(X509* cert) {
  std::vector<std::string> names, hosts;
  auto* entries = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(entries); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(entries, i);
    if (entry->type == GEN_EMAIL) names.push_back(printable(string_text(entry->d.rfc822Name), 255));
    if (entry->type == GEN_DNS) hosts.push_back(printable(string_text(entry->d.dNSName), 255));
  }
  GENERAL_NAMES_free(entries);
  names.insert(names.end(), hosts.begin(), hosts.end());
  return names;
}

std::string common_name(X509* cert) {
  const X509_NAME* subject = X509_get_subject_name(cert);
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return printable(string_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))), 255);
}

std::string fingerprint(const X509* cert) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(cert, EVP_sha256(), digest, &size) != 1) return {};
  return "sha256:" + hex({reinterpret_cast<char*>(digest), size});
}

std::optional<int> days_until(const ASN1_TIME* time) {
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, time) != 1) return std::nullopt;
  return seconds < 0 ? days - 1 : days;
}

int begun_days_until(const ASN1_TIME* time) {
  int days = 0, seconds = 0;
  ASN1_TIME_diff(&days, &seconds, nullptr, time);
  return seconds > 0 ? days + 1 : days;
}

bool matches_name(X509* cert, const std::string& name) {
  if (is_ip_address(name)) return X509_check_ip_asc(cert, name.c_str(), 0) == 1;
  return X509_check_host(cert, name.data(), name.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

namespace {

WallTime wall_time(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::string key_text(X509* cert) {
  EVP_PKEY* key = X509_get0_pubkey(cert);
  if (key == nullptr) return "unknown";
  const int id = EVP_PKEY_get_base_id(key);
  const char* kind = id == EVP_PKEY_RSA ? "RSA" : id == EVP_PKEY_EC ? "ECDSA" : OBJ_nid2sn(id);
  return std::string(kind) + " " + std::to_string(EVP_PKEY_get_bits(key));
}

}  // namespace

CertificateFacts facts_of(X509* cert, const std::string& file) {
  CertificateFacts facts;
  facts.file = file;
  facts.subject = name_text(X509_get_subject_name(cert));
  facts.issuer = name_text(X509_get_issuer_name(cert));
  facts.names = alternative_names(cert);
  if (std::string name = common_name(cert); facts.names.empty() && !name.empty()) facts.names.push_back(name);
  facts.key = key_text(cert);
  facts.fingerprint = fingerprint(cert);
  facts.not_before = wall_time(X509_get0_notBefore(cert));
  facts.not_after = wall_time(X509_get0_notAfter(cert));
  facts.self_signed = X509_self_signed(cert, 0) == 1;
  return facts;
}

int days_left(const CertificateFacts& facts, WallTime now) {
  return static_cast<int>(std::chrono::floor<std::chrono::days>(facts.not_after - now).count());
}

Result<std::vector<Certificate>> read_certificates(const std::string& pem, const std::string& name) {
  ERR_clear_error();
  std::vector<Certificate> all;
  std::unique_ptr<BIO, int (*)(BIO*)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  // A file may hold the key too; it is passed over.
  while (X509* one = PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr)) all.emplace_back(one);
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (all.empty() && at_end) {
    ERR_clear_error();
    return fail(ErrorKind::kTls, "certificate " + name + ": it holds no certificate in PEM form");
  }
  if (!at_end) return fail(ErrorKind::kTls, "certificate " + name + ": " + last_error());
  ERR_clear_error();
  return all;
}

}  // namespace sidegate::tls
