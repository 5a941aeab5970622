#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "auth/server.h"

namespace sidegate::auth {
namespace {

std::string keyed_hash(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return std::string(reinterpret_cast<char*>(out), size);
}

ScramKeys fake_keys(std::string_view key, std::string_view what, std::size_t size, std::uint32_t iterations) {
  ScramKeys keys;
  std::string about(what);
  keys.iterations = iterations;
  keys.salt = keyed_hash(key, "salt " + about).substr(0, 16);
  keys.stored_key = keyed_hash(key, "stored " + about).substr(0, size);
  keys.server_key = keyed_hash(key, "server " + about).substr(0, size);
  return keys;
}

}  // namespace

Result<ScramKeys> scram_keys(ScramHash hash, std::string_view password, std::string_view salt,
                             std::uint32_t iterations) {
  if (password.find('\0') != std::string_view::npos) return fail(ErrorKind::kBadInput, "NUL in the password");
  char salted[GSASL_HASH_MAX_SIZE], client[GSASL_HASH_MAX_SIZE], server[GSASL_HASH_MAX_SIZE],
      stored[GSASL_HASH_MAX_SIZE];
  const bool sha1 = hash == ScramHash::kSha1;
  const std::size_t size = sha1 ? GSASL_HASH_SHA1_SIZE : GSASL_HASH_SHA256_SIZE;
  std::string text(password);
  int code = gsasl_scram_secrets_from_password(sha1 ? GSASL_HASH_SHA1 : GSASL_HASH_SHA256, text.c_str(), iterations,
                                               salt.data(), salt.size(), salted, client, server, stored);
  OPENSSL_cleanse(text.data(), text.size());
  OPENSSL_cleanse(salted, sizeof salted);
  OPENSSL_cleanse(client, sizeof client);
  if (code != GSASL_OK) return fail(ErrorKind::kBadInput, gsasl_strerror(code));
  return ScramKeys{iterations, std::string(salt), std::string(stored, size), std::string(server, size)};
}

Secret fake_secret(std::string_view key, std::string_view user, std::uint32_t iterations) {
  std::string name(user);
  Secret secret;
  secret.sha1 = fake_keys(key, "SCRAM-SHA-1 " + name, GSASL_HASH_SHA1_SIZE, iterations);
  secret.sha256 = fake_keys(key, "SCRAM-SHA-256 " + name, GSASL_HASH_SHA256_SIZE, iterations);
  std::string password = keyed_hash(key, "password " + name);
  for (char& c : password) c = static_cast<char>('a' + static_cast<unsigned char>(c) % 26);  // a C string, for CRAM-MD5
  secret.password = std::move(password);
  return secret;
}

std::optional<std::string> saslprep(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  char* out = nullptr;
  if (::gsasl_saslprep(std::string(text).c_str(), GSASL_ALLOW_UNASSIGNED, &out, nullptr) != GSASL_OK)
    return std::nullopt;
  std::string prepared(out);
  explicit_bzero(out, prepared.size());
  free(out);
  return prepared;
}

}  // namespace sidegate::auth
