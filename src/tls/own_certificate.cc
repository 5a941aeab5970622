// What a server can say of its own certificate before anybody connects, and one made on the spot.
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/setup.h"

namespace sidegate::tls {
namespace {

using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE, X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX, X509_STORE_CTX_free>>;
using Serial = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;

std::string text_of(const Identity& identity) {
  if (!identity.cert_pem.empty()) return identity.cert_pem;
  std::ifstream in(identity.cert_file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

bool add_extension(X509* cert, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, cert, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  bool added = extension != nullptr && X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool fill(X509* cert, EVP_PKEY* key, const std::string& name, int days) {
  Serial serial(BN_new());
  // RFC 5280 section 4.1.2.2: positive, at most 20 octets.
  if (serial == nullptr || BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1) return false;
  if (BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert)) == nullptr) return false;
  X509_set_version(cert, 2);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);  // a client's clock may be behind
  X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, nullptr);
  X509_NAME* subject = X509_get_subject_name(cert);
  const std::string common = name.substr(0, 64);  // ub-common-name
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1,
                             -1, 0);
  return X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
         add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
         add_extension(cert, NID_ext_key_usage, "serverAuth") &&
         add_extension(cert, NID_subject_alt_name, (is_ip_address(name) ? "IP:" : "DNS:") + name) &&
         X509_sign(cert, key, EVP_sha256()) > 0;
}

std::string pem_of(X509* cert, EVP_PKEY* key) {
  std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_X509(out.get(), cert);
  char* text = nullptr;
  long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Status verifies(const Identity& identity, const std::string& name) {
  auto chain = read_certificates(text_of(identity), identity.cert_file);
  if (!chain) return std::unexpected(chain.error());
  X509* leaf = chain->front().get();
  if (!matches_name(leaf, name)) return fail(ErrorKind::kTls, "the certificate is not for " + name);
  Store store(X509_STORE_new());
  StoreContext context(X509_STORE_CTX_new());
  STACK_OF(X509)* above = sk_X509_new_null();
  for (std::size_t i = 1; i < chain->size(); ++i) sk_X509_push(above, (*chain)[i].get());
  bool ready = store != nullptr && context != nullptr && X509_STORE_set_default_paths(store.get()) == 1 &&
               X509_STORE_CTX_init(context.get(), store.get(), leaf, above) == 1;
  if (ready) X509_STORE_CTX_set_default(context.get(), "ssl_server");
  bool good = ready && X509_verify_cert(context.get()) == 1;
  int why = ready ? X509_STORE_CTX_get_error(context.get()) : X509_V_ERR_OUT_OF_MEM;
  context.reset();
  sk_X509_free(above);
  ERR_clear_error();
  if (good) return {};
  return fail(ErrorKind::kTls, std::string("the certificate does not verify: ") + X509_verify_cert_error_string(why));
}

Result<std::string> self_signed(const std::string& name, int days) {
  ERR_clear_error();
  Key key(EVP_EC_gen("P-256"));
  Certificate cert(X509_new());
  if (key == nullptr || cert == nullptr || !fill(cert.get(), key.get(), name, days))
    return fail(ErrorKind::kTls, "making a certificate: " + last_error());
  return pem_of(cert.get(), key.get());
}

}  // namespace sidegate::tls
