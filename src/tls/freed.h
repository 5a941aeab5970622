// Owners of OpenSSL's objects.
#pragma once

#include <openssl/evp.h>

#include <memory>

namespace sidegate::tls {

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;

}  // namespace sidegate::tls
