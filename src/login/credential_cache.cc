#include "login/credential_cache.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "login/password.h"

namespace sidegate::login {

CredentialCache::CredentialCache(std::size_t most) : secret_(random_octets(32)), most_(most) {}

std::string CredentialCache::key(char kind, const std::string& user, const std::string& secret) const {
  std::string text = kind + std::to_string(user.size()) + ":" + user + secret;
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  wipe(text);
  return std::string(reinterpret_cast<char*>(out), size);
}

std::optional<std::string> CredentialCache::get(const std::string& key, SteadyTime now) const {
  std::lock_guard lock(mutex_);
  auto at = entries_.find(key);
  if (at == entries_.end() || now >= at->second.until) return std::nullopt;
  return at->second.user;
}

void CredentialCache::put(const std::string& key, const std::string& user, SteadyTime until, std::uint64_t generation) {
  std::lock_guard lock(mutex_);
  if (generation != generation_) return;
  // Full: it begins anew. One hash each is what that costs.
  if (entries_.size() >= most_) entries_.clear();
  entries_[key] = {user, until};
}

std::uint64_t CredentialCache::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

void CredentialCache::clear() {
  std::lock_guard lock(mutex_);
  ++generation_;
  entries_.clear();
}

}  // namespace sidegate::login
