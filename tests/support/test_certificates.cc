#include "test_certificates.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

namespace sidegate::test {
namespace {

struct Free {
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Cert = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

void need(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("test certificate: ") + what);
}

void extend(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  need(extension != nullptr, value.c_str());
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

bool is_address(const std::string& name) {
  unsigned char room[16];
  return inet_pton(AF_INET, name.c_str(), room) == 1 || inet_pton(AF_INET6, name.c_str(), room) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += text.empty() ? "" : ",";
    text += (is_address(name) ? "IP:" : "DNS:") + name;
  }
  return text;
}

Cert blank(EVP_PKEY* key, const std::string& common_name, int begins_in_days, int ends_in_days) {
  static long serial = 1000;
  Cert cert(X509_new());
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), ++serial);
  constexpr long kDay = 24 * 60 * 60;  // a minute off: a test that runs a second later sees the same day
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), begins_in_days * kDay - 60);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), ends_in_days * kDay - 60);
  X509_set_pubkey(cert.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  return cert;
}

std::unique_ptr<std::FILE, Free> open_file(const std::string& path) {
  std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "w"));
  need(file != nullptr, path.c_str());
  return file;
}

void save(X509* cert, const std::string& path) {
  need(PEM_write_X509(open_file(path).get(), cert) == 1, "write certificate");
}

std::string fingerprint(X509* cert) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(cert, EVP_sha256(), digest, &size);
  std::string text = "sha256:";
  for (unsigned i = 0; i < size; ++i) {
    char octet[3];
    std::snprintf(octet, sizeof(octet), "%02x", digest[i]);
    text += octet;
  }
  return text;
}

}  // namespace

struct TestCa::State {
  std::string directory;
  std::string ca_file;
  Key key;
  Cert cert;
  int issued = 0;
};

TestCa::TestCa(const std::string& common_name) : state_(std::make_unique<State>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "sidegate-ca-XXXXXX").string();
  need(mkdtemp(pattern.data()) != nullptr, "temporary directory");
  state_->directory = pattern;
  state_->ca_file = pattern + "/ca.pem";
  state_->key.reset(EVP_EC_gen("P-256"));
  state_->cert = blank(state_->key.get(), common_name, -100, 3650);
  X509* cert = state_->cert.get();
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
  extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(cert, cert, NID_subject_key_identifier, "hash");
  need(X509_sign(cert, state_->key.get(), EVP_sha256()) > 0, "sign CA");
  save(cert, state_->ca_file);
}

TestCa::~TestCa() {
  std::error_code ignored;
  std::filesystem::remove_all(state_->directory, ignored);
}

const std::string& TestCa::ca_file() const {
  return state_->ca_file;
}

const std::string& TestCa::directory() const {
  return state_->directory;
}

IssuedCertificate TestCa::issue(const CertificateWish& wish) {
  std::string stem = state_->directory + "/" + std::to_string(++state_->issued);
  IssuedCertificate issued{stem + ".cert.pem", stem + ".key.pem", {}};
  Key key(EVP_EC_gen("P-256"));
  std::string common_name = !wish.common_name.empty() ? wish.common_name
                            : wish.names.empty()      ? "nobody"
                                                      : wish.names[0];
  Cert cert = blank(key.get(), common_name.substr(0, 64), wish.begins_in_days, wish.ends_in_days);
  X509* issuer = wish.self_signed ? cert.get() : state_->cert.get();
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer));
  if (!wish.names.empty()) extend(cert.get(), issuer, NID_subject_alt_name, alternative_names(wish.names));
  need(X509_sign(cert.get(), wish.self_signed ? key.get() : state_->key.get(), EVP_sha256()) > 0, "sign");
  save(cert.get(), issued.cert_file);
  auto file = open_file(issued.key_file);
  need(PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "write key");
  issued.fingerprint = fingerprint(cert.get());
  return issued;
}

}  // namespace sidegate::test
