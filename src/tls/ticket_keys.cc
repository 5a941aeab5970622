#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

namespace sidegate::tls {
namespace {

bool set_mac(EVP_MAC_CTX* mac, std::array<unsigned char, 32>& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.data(), key.size()),
                                   OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

bool TicketKeys::turn() {
  const SteadyTime now = clock_.steady();
  while (!keys_.empty() && now - keys_.back().made >= 2 * each_) {
    OPENSSL_cleanse(&keys_.back(), sizeof(Key));
    keys_.pop_back();
  }
  if (!keys_.empty() && now - keys_.front().made < each_) return true;
  Key fresh;
  fresh.made = now;
  bool made = RAND_bytes(fresh.name.data(), kName) == 1 && RAND_bytes(fresh.cipher.data(), 32) == 1 &&
              RAND_bytes(fresh.mac.data(), 32) == 1;
  if (made) keys_.push_front(fresh);
  return made;
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  std::lock_guard lock(mutex_);
  if (!turn()) return -1;
  Key& key = keys_.front();
  std::memcpy(name, key.name.data(), kName);
  bool ready = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
               EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) == 1 &&
               set_mac(mac, key.mac);
  return ready ? 1 : -1;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  std::lock_guard lock(mutex_);
  if (!turn()) return -1;
  auto key =
      std::ranges::find_if(keys_, [&](const Key& one) { return CRYPTO_memcmp(one.name.data(), name, kName) == 0; });
  if (key == keys_.end()) return 0;
  bool ready =
      EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) == 1 && set_mac(mac, key->mac);
  if (!ready) return -1;
  return key == keys_.begin() ? 1 : 2;
}

}  // namespace sidegate::tls
