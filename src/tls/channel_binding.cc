#include <openssl/ssl.h>

#include "tls/context.h"

namespace sidegate::tls {
namespace {

// RFC 9266 section 2: label, empty context, 32 octets.
std::string exporter(SSL* ssl) {
  static constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  unsigned char out[32];
  static constexpr unsigned char kNoContext[1] = {};
  if (SSL_export_keying_material(ssl, out, sizeof(out), kLabel.data(), kLabel.size(), kNoContext, 0, 1) != 1) return {};
  return std::string(reinterpret_cast<char*>(out), sizeof(out));
}

// RFC 5929 section 3.1: the first Finished message of the latest handshake: the client's in a full one, the server's in
// an abbreviated one.
std::string first_finished(SSL* ssl) {
  bool resumed = SSL_session_reused(ssl) == 1;
  bool client = SSL_is_server(ssl) == 0;
  bool ours = client != resumed;
  unsigned char out[64];
  std::size_t n = ours ? SSL_get_finished(ssl, out, sizeof(out)) : SSL_get_peer_finished(ssl, out, sizeof(out));
  return std::string(reinterpret_cast<char*>(out), std::min(n, sizeof(out)));
}

}  // namespace

ChannelBinding channel_binding(SSL* ssl) {
  if (ssl == nullptr || SSL_is_init_finished(ssl) != 1) return {};
  ChannelBinding binding;
  if (SSL_version(ssl) >= TLS1_3_VERSION) {
    binding = {"tls-exporter", exporter(ssl)};
  } else if (SSL_get_extms_support(ssl) ==
             1) {  // RFC 7627 section 5.4: without it, tls-unique can be made equal on two connections
    binding = {"tls-unique", first_finished(ssl)};
  }
  if (binding.data.empty()) return {};
  return binding;
}

}  // namespace sidegate::tls
