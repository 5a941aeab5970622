// Private keys that sign, and what is published of them (RFC 6376 section 3.6.1, RFC 8463 section 4.2).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace sidegate::dkim {

enum class Algorithm : std::uint8_t { kRsa, kEd25519 };
const char* name(Algorithm algorithm);  // "rsa-sha256", "ed25519-sha256"

class Key {  // thread-safe
 public:
  // PEM, PKCS#1 or PKCS#8. kBadInput: no key, one of another kind, or an RSA key below 1024 bits (RFC 8301
  // section 3.2).
  static Result<Key> from_pem(std::string_view pem);
  static Result<Key> generate(Algorithm algorithm, unsigned rsa_bits = 2048);

  Algorithm algorithm() const { return algorithm_; }
  unsigned bits() const;
  std::string pem() const;            // PKCS#8, as it is written to a file
  std::string public_base64() const;  // of p=
  // Signs the SHA-256 hash of `text`.
  Result<std::string> sign(std::string_view text) const;

 private:
  Key(std::shared_ptr<evp_pkey_st> key, Algorithm algorithm) : key_(std::move(key)), algorithm_(algorithm) {}
  std::shared_ptr<evp_pkey_st> key_;
  Algorithm algorithm_;
};

// The record for DNS.
struct Record {
  std::string name;   // "s1._domainkey.example.org"
  std::string value;  // "v=DKIM1; k=rsa; p=..."

  std::vector<std::string> strings() const;  // each 255 octets at most (RFC 1035 section 3.3)
  std::string bind() const;                  // one line or several, for a zone file
};
Record record_of(const Key& key, std::string_view domain, std::string_view selector);

// RFC 6376 section 3.1: sub-domain *( "." sub-domain ).
bool is_selector(std::string_view text);

}  // namespace sidegate::dkim
