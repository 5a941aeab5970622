#include "tls/setup.h"

#include <arpa/inet.h>

#include <string>

namespace sidegate::tls {

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* ctx = SSL_CTX_new(method);
  if (ctx == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);  // RFC 8996 section 4: not TLS 1.0, not TLS 1.1
  // RFC 7457 section 2.6: no compression. A renegotiation asked by the peer is refused.
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // RELEASE_BUFFERS: an idle connection keeps no record buffers. The other two: a write may be cut and retried from
  // another address, as a coroutine with a non-blocking socket does.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A ticket or a KeyUpdate is no end of a read: "more is needed" then means that all octets given are used.
  SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
  return ctx;
}

bool is_ip_address(std::string_view name) {
  std::string text(name);
  unsigned char room[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), room) == 1 || inet_pton(AF_INET6, text.c_str(), room) == 1;
}

}  // namespace sidegate::tls
