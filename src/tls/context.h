// TLS contexts and what is demanded of a peer. No sockets here; OpenSSL stays in the .cc files.
//
// Modes on every context: RELEASE_BUFFERS, ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, NO_RENEGOTIATION, no
// compression; TLS 1.2 and 1.3. Contexts are immutable after creation and shared by all threads.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;

namespace sidegate::tls {

// How a peer's certificate is judged.
struct PeerPolicy {
  bool verify = true;        // false: encrypt only (never with credentials unless the relay's block says so)
  std::string name = {};     // expected host name (or address), checked and sent as SNI
  std::string ca_file = {};  // empty: the system's CAs
  std::string ca_pem = {};   // the file's content, where the process itself may not open it; ca_file then names it
  std::vector<std::string> fingerprints =
      {};  // "sha256:<hex>" of the certificate; when set, one must match and PKIX is not asked
};

// What a handshake came to; goes to the log and to `relay test`.
struct Verdict {
  bool verified = false;
  std::string why;      // when not verified: "certificate is for x, you asked for y", "expired 3 days ago", ...
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  int bits = 0;
  std::string subject, issuer;
  std::vector<std::string> names;  // DNS and IP subjectAltNames
  std::string fingerprint;         // "sha256:<hex>"
  std::optional<int> days_left;    // negative: expired
};

class ClientContext {
 public:
  static Result<std::shared_ptr<ClientContext>> make(PeerPolicy policy);
  const PeerPolicy& policy() const { return policy_; }
  // A new SSL in connect state with SNI and name check set, resuming the last session of this context where possible.
  SSL* new_ssl() const;
  ~ClientContext();

 private:
  ClientContext() = default;
  PeerPolicy policy_;
  SSL_CTX* ctx_ = nullptr;
  struct Sessions;
  std::unique_ptr<Sessions> sessions_;
};

struct Identity {
  std::string cert_file, key_file;
};  // PEM; chain in cert_file

class ServerContext {
 public:
  static Result<std::shared_ptr<ServerContext>> make(const Identity& identity);
  SSL* new_ssl() const;
  ~ServerContext();

 private:
  ServerContext() = default;
  SSL_CTX* ctx_ = nullptr;
};

// After the handshake: judge the peer by the policy. The handshake itself never aborts on a bad certificate (so that
// the reason can be told); whoever calls this decides, and must not send a secret unless verified is true.
Verdict judge(SSL* ssl, const PeerPolicy& policy);
Verdict describe(SSL* ssl);  // version and cipher only (server side)

// Channel binding for SCRAM-*-PLUS: "tls-exporter" (RFC 9266, TLS 1.3) or "tls-unique" (RFC 5929, TLS 1.2 with extended
// master secret); empty name when there is none.
struct ChannelBinding {
  std::string type;
  std::string data;
};
ChannelBinding channel_binding(SSL* ssl);

std::string last_error();  // text of OpenSSL's error queue, emptied

}  // namespace sidegate::tls
