#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/context.h"

namespace sidegate::tls {
namespace {

// What OpenSSL's reason means to an operator, where its own words mislead.
const char* plain_words(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return nullptr;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the peer did not answer with TLS (is this a STARTTLS port, or a plain one?)";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the peer closed the connection";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "no common protocol version (TLS 1.2 and 1.3 are allowed)";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the peer refused the handshake (no common cipher or curve?)";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the peer does not know the CA of our certificate";
    default:
      return nullptr;
  }
}

}  // namespace

std::string last_error() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    const char* words = plain_words(code);
    if (words == nullptr) words = ERR_reason_error_string(code);
    std::string word = words != nullptr ? words : "error " + std::to_string(code);
    if (text.find(word) != std::string::npos) continue;
    if (!text.empty()) text += "; ";
    text += word;
  }
  return text.empty() ? "unknown TLS error" : text;
}

}  // namespace sidegate::tls
