#include "dkim/key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "base/text.h"

namespace sidegate::dkim {
namespace {

constexpr unsigned kLeastRsa = 1024;
constexpr std::size_t kString = 255;

using Pkey = std::shared_ptr<EVP_PKEY>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

Pkey owned(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

std::unexpected<Error> failed(ErrorKind kind, std::string what) {
  ERR_clear_error();
  return fail(kind, std::move(what));
}

std::string content_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

// No password is asked for at a terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

}  // namespace

const char* name(Algorithm algorithm) {
  return algorithm == Algorithm::kRsa ? "rsa-sha256" : "ed25519-sha256";
}

Result<Key> Key::from_pem(std::string_view pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 1 << 20))), BIO_free_all);
  Pkey key = owned(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    const bool locked = pem.contains("ENCRYPTED");
    return failed(ErrorKind::kBadInput,
                  locked ? "the private key is locked by a password" : "it holds no private key in PEM form");
  }
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_ED25519:
      return Key(std::move(key), Algorithm::kEd25519);
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key.get()) < static_cast<int>(kLeastRsa))
        return failed(ErrorKind::kBadInput, "an RSA key of less than 1024 bits is believed by nobody");
      return Key(std::move(key), Algorithm::kRsa);
    default:
      return failed(ErrorKind::kBadInput, "the key is neither RSA nor Ed25519");
  }
}

Result<Key> Key::generate(Algorithm algorithm, unsigned rsa_bits) {
  Pkey key = algorithm == Algorithm::kRsa ? owned(EVP_RSA_gen(rsa_bits))
                                          : owned(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return failed(ErrorKind::kInternal, "no key could be made");
  return Key(std::move(key), algorithm);
}

unsigned Key::bits() const {
  return static_cast<unsigned>(EVP_PKEY_get_bits(key_.get()));
}

std::string Key::pem() const {
  Bio bio(BIO_new(BIO_s_secmem()), BIO_free_all);
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) return {};
  return content_of(bio.get());
}

std::string Key::public_base64() const {
  // RFC 8463 section 4.2: an Ed25519 key is its 32 octets; RFC 6376 section 3.6.1: an RSA key is DER.
  if (algorithm_ == Algorithm::kEd25519) {
    unsigned char raw[32];
    std::size_t size = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(key_.get(), raw, &size) != 1) return {};
    return base64({reinterpret_cast<const char*>(raw), size});
  }
  Bio bio(BIO_new(BIO_s_mem()), BIO_free_all);
  if (i2d_PUBKEY_bio(bio.get(), key_.get()) != 1) return {};
  return base64(content_of(bio.get()));
}

Result<std::string> Key::sign(std::string_view text) const {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* octets = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t count = text.size();
  // RFC 8463 section 3: PureEdDSA over the hash.
  unsigned char hash[32];
  const bool ed = algorithm_ == Algorithm::kEd25519;
  if (ed) {
    if (EVP_Digest(octets, count, hash, nullptr, EVP_sha256(), nullptr) != 1)
      return failed(ErrorKind::kInternal, "SHA-256 failed");
    octets = hash;
    count = sizeof hash;
  }
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = signature.size();
  const bool signed_it =
      EVP_DigestSignInit(context.get(), nullptr, ed ? nullptr : EVP_sha256(), nullptr, key_.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, octets, count) == 1;
  if (!signed_it) return failed(ErrorKind::kInternal, "the key could not sign");
  signature.resize(size);
  return signature;
}

std::vector<std::string> Record::strings() const {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < value.size(); at += kString) out.push_back(value.substr(at, kString));
  return out;
}

std::string Record::bind() const {
  std::vector<std::string> parts = strings();
  std::string out = name + ". IN TXT";
  if (parts.size() == 1) return out + " \"" + parts[0] + "\"";
  out += " (";
  for (const std::string& part : parts) out += "\n    \"" + part + "\"";
  return out + " )";
}

Record record_of(const Key& key, std::string_view domain, std::string_view selector) {
  const char* kind = key.algorithm() == Algorithm::kRsa ? "rsa" : "ed25519";
  return {fmt::format("{}._domainkey.{}", selector, domain),
          fmt::format("v=DKIM1; k={}; p={}", kind, key.public_base64())};
}

bool is_selector(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  for (std::string_view label : split(text, '.')) {
    const bool good =
        !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
        std::ranges::all_of(label, [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
    if (!good) return false;
  }
  return true;
}

}  // namespace sidegate::dkim
