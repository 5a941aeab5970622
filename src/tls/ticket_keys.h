// What session tickets are sealed with (RFC 5077, RFC 8446 section 4.6.1): keys that change, so that one that leaks
// opens some hours and no more. Shared by all contexts of a server and all threads.
#pragma once

#include <array>
#include <deque>
#include <mutex>

#include "base/clock.h"

using EVP_CIPHER_CTX = struct evp_cipher_ctx_st;
using EVP_MAC_CTX = struct evp_mac_ctx_st;

namespace sidegate::tls {

class TicketKeys {  // thread-safe
 public:
  // A key seals for `each`, and opens for as long again.
  explicit TicketKeys(Clock& clock, Duration each = std::chrono::hours(6)) : clock_(clock), each_(each) {}

  static constexpr std::size_t kName = 16;
  // As SSL_CTX_set_tlsext_ticket_key_evp_cb has it: 1 sealed or opened; 0: not one of ours, or too old; 2: opened, and
  // the client should get a fresh one; -1: no memory.
  int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
  int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);

 private:
  struct Key {
    std::array<unsigned char, kName> name{};
    std::array<unsigned char, 32> cipher{}, mac{};
    SteadyTime made{};
  };
  bool turn();  // under the mutex: the front is one to seal with

  Clock& clock_;
  Duration each_;
  std::mutex mutex_;
  std::deque<Key> keys_;  // newest first
};

}  // namespace sidegate::tls
