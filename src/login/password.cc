#include "login/password.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>

#include "base/text.h"

namespace sidegate::login {
namespace {

constexpr std::size_t kMaxPassword = 511;  // crypt(3): CRYPT_MAX_PASSPHRASE_SIZE is 512 with the NUL
constexpr std::uint32_t kIterations = 20'000;

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct WipedCrypt {
  crypt_data data{};
  ~WipedCrypt() { OPENSSL_cleanse(&data, sizeof data); }
};

bool verify_crypt(const std::string& hash, const std::string& password) {
  auto room = std::make_unique<WipedCrypt>();  // 32 KiB
  const char* made = crypt_r(password.c_str(), hash.c_str(), &room->data);
  return made != nullptr && made[0] != '*' && same(made, hash);
}

bool verify_argon2(const std::string& hash, const std::string& password) {
  argon2_type type = hash.starts_with("$argon2id$") ? Argon2_id : hash.starts_with("$argon2i$") ? Argon2_i : Argon2_d;
  return argon2_verify(hash.c_str(), password.data(), password.size(), type) == ARGON2_OK;
}

bool verify_stored(const User& user, const std::string& password) {
  if (!user.hash.empty()) return verify_hash(user.hash, password);
  const bool sha256 = user.keys.sha256.has_value();
  const auto& keys = sha256 ? user.keys.sha256 : user.keys.sha1;
  if (keys) {
    auto made = auth::scram_keys(sha256 ? auth::ScramHash::kSha256 : auth::ScramHash::kSha1, password, keys->salt,
                                 keys->iterations);
    return made && same(made->stored_key, keys->stored_key);
  }
  return user.keys.password && same(*user.keys.password, password);
}

}  // namespace

bool verify_hash(const std::string& hash, const std::string& password) {
  if (password.size() > kMaxPassword || password.find('\0') != std::string::npos) return false;
  return hash.starts_with("$argon2") ? verify_argon2(hash, password) : verify_crypt(hash, password);
}

Result<std::string> make_hash(const std::string& password) {
  auto room = std::make_unique<WipedCrypt>();
  const std::string random = random_octets(32);
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (crypt_gensalt_rn("$y$", 0, random.data(), static_cast<int>(random.size()), setting, sizeof setting) == nullptr)
    return fail(ErrorKind::kInternal, "this system's libcrypt has no yescrypt");
  const char* made = crypt_r(password.c_str(), setting, &room->data);
  if (made == nullptr || made[0] == '*') return fail(ErrorKind::kInternal, "the password cannot be hashed");
  return std::string(made);
}

bool verify_password(const User& user, const std::string& password) {
  // What was stored is prepared (RFC 4013) where that is possible: another keyboard, the same password.
  auto prepared = auth::saslprep(password);
  bool good = verify_stored(user, prepared ? *prepared : password);
  // A hash that came from elsewhere was made of the octets as they are.
  if (!good && prepared && *prepared != password) good = verify_stored(user, password);
  if (prepared) wipe(*prepared);
  return good;
}

bool verify_nobody(const UserFile& file, const std::string& password) {
  static const std::string kNobody = make_hash(hex(random_octets(16))).value_or("");
  User nobody;
  nobody.hash = kNobody;
  (void)verify_password(file.usual() != nullptr ? *file.usual() : nobody, password);
  return false;
}

Status store_password(User& user, const std::string& password, Storing storing) {
  if (password.empty()) return fail(ErrorKind::kBadInput, "the password is empty");
  if (password.size() > kMaxPassword) return fail(ErrorKind::kBadInput, "the password is longer than 511 octets");
  if (std::ranges::any_of(password, [](char c) { return c == '\0' || c == '\n' || c == '\r'; }))
    return fail(ErrorKind::kBadInput, "the password holds a control character");
  auto prepared = auth::saslprep(password);
  if (!prepared && storing.scram)
    return fail(ErrorKind::kBadInput, "the password holds characters that SCRAM cannot carry (RFC 4013)");
  const std::string& text = prepared ? *prepared : password;
  auto hash = make_hash(text);
  if (!hash) return std::unexpected(hash.error());
  user.hash = std::move(*hash);
  user.keys = {};
  if (storing.scram) {
    auto sha256 = auth::scram_keys(auth::ScramHash::kSha256, text, random_octets(16), kIterations);
    auto sha1 = auth::scram_keys(auth::ScramHash::kSha1, text, random_octets(16), kIterations);
    if (!sha256 || !sha1) return std::unexpected((sha256 ? sha1 : sha256).error());
    user.keys.sha256 = std::move(*sha256);
    user.keys.sha1 = std::move(*sha1);
  }
  if (storing.cram) user.keys.password = text;
  return {};
}

std::string random_octets(std::size_t n) {
  std::string out(n, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(n)) != 1) throw std::bad_alloc();
  return out;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace sidegate::login
