#include "tls/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
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

int whole_days_since(const ASN1_TIME* time) {
  int days = 0, seconds = 0;
  ASN1_TIME_diff(&days, &seconds, time, nullptr);
  return days;
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

}  // namespace sidegate::tls
