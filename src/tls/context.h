// TLS contexts and what is demanded of a peer. No sockets here; OpenSSL stays in the .cc files.
//
// Modes on every context: RELEASE_BUFFERS, ENABLE_PARTIAL_WRITE, ACCEPT_MOVING_WRITE_BUFFER, NO_RENEGOTIATION, no
// compression; TLS 1.2 and 1.3. Contexts are immutable after creation and shared by all threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tls/tlsa.h"

using SSL = struct ssl_st;
using SSL_CTX = struct ssl_ctx_st;

namespace sidegate::tls {

// One certificate, its chain behind it, and its key: PEM files; or their content, where the process itself may not open
// them (the files then only name it).
struct Identity {
  std::string cert_file, key_file;
  std::string cert_pem = {}, key_pem = {};
  bool operator==(const Identity&) const = default;
};

// How a peer's certificate is judged.
struct PeerPolicy {
  bool verify = true;        // false: encrypt only (never with credentials unless the relay's block says so)
  std::string name = {};     // expected host name (or address), checked and sent as SNI
  std::string ca_file = {};  // empty: the system's CAs
  std::string ca_pem = {};   // the file's content, where the process itself may not open it; ca_file then names it
  std::vector<std::string> fingerprints =
      {};  // "sha256:<hex>" of the certificate; when set, one must match and PKIX is not asked
  // "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3": this version and no other, to see whether a server takes it. The first
  // two (RFC 8996: not to be used) come with the ciphers of their time; nothing may be sent there.
  std::string only_version = {};
  Identity own = {};  // shown to a peer that asks for a certificate; no file: none
  // Not empty: one of these must fit the certificate (name_fits) in place of `name`, which is then for SNI alone.
  std::vector<std::string> names = {};
  // Not empty: these decide (RFC 7671), and no CA is asked: DANE-EE by the key alone, DANE-TA with one of `names`.
  // `name` is their base domain.
  std::vector<Tlsa> tlsa = {};
};

// What was wrong with a peer, for those who count (RFC 8460 section 4.3).
enum class Fault : std::uint8_t { kNone, kName, kExpired, kUntrusted, kTlsa };

// What a handshake came to; goes to the log and to `relay test`.
struct Verdict {
  bool verified = false;
  Fault fault = Fault::kNone;
  std::string by;       // when verified: "pkix", "pin", "dane-ta", "dane-ee"
  std::string why;      // when not verified: "certificate is for x, you asked for y", "expired 3 days ago", ...
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  int bits = 0;
  std::string subject, issuer;
  std::vector<std::string> names;  // DNS and IP subjectAltNames
  std::string fingerprint;         // "sha256:<hex>"
  std::optional<int> days_left;    // negative: expired
};

// How long ago what is left in the negative ended: "today", "1 day ago", "3 days ago". One rounding for all who tell
// it.
std::string ended_text(int days_left);
int days_ended(int days_left);  // the whole days in it

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

enum class Version : std::uint8_t { kTls12, kTls13 };

struct ServerSettings {
  std::vector<Identity> identities = {};  // several names by SNI, ECDSA beside RSA; who names none known gets the first
  Version minimum = Version::kTls12;
  std::string ciphers = {};         // of TLS 1.2, in OpenSSL's words; empty: forward secrecy and AEAD first
  std::string client_ca_file = {};  // not empty: clients are asked for a certificate, and may have none
  std::string client_ca_pem = {};   // the file's content
  bool operator==(const ServerSettings&) const = default;
};

// A certificate that a server shows, for people.
struct CertificateFacts {
  std::string file;
  std::string subject, issuer;
  std::vector<std::string> names;  // as clients may ask for it
  std::string key;                 // "ECDSA 256", "RSA 2048"
  std::string fingerprint;         // "sha256:<hex>"
  WallTime not_before, not_after;
  bool self_signed = false;
};
// Rounded down; negative: expired.
int days_left(const CertificateFacts& facts, WallTime now);

class TicketKeys;  // tls/ticket_keys.h

class ServerContext {
 public:
  static Result<std::shared_ptr<ServerContext>> make(const Identity& identity);
  // tickets: shared by the contexts of one server, so that sessions outlive a new certificate; null: its own. kBadInput
  // where no identity is given; kTls names the file at fault.
  static Result<std::shared_ptr<ServerContext>> serve(const ServerSettings& settings,
                                                      std::shared_ptr<TicketKeys> tickets = nullptr);
  SSL* new_ssl() const;
  const std::vector<CertificateFacts>& certificates() const { return facts_; }  // in the order of the identities
  ~ServerContext();

 private:
  ServerContext() = default;
  struct Sites;
  std::unique_ptr<Sites> sites_;
  std::shared_ptr<TicketKeys> tickets_;
  std::vector<CertificateFacts> facts_;
};

// kTls: OpenSSL knows none of these ciphers of TLS 1.2. Empty: ours.
Status check_ciphers(const std::string& ciphers);

// Whether a client that trusts the system's CAs would take this certificate for `name`; the error says why not.
Status verifies(const Identity& identity, const std::string& name);

// A new P-256 key and a certificate for `name` that it signs itself: both as PEM, in one text.
Result<std::string> self_signed(const std::string& name, int days);

// After the handshake: judge the peer by the policy. The handshake itself never aborts on a bad certificate (so that
// the reason can be told); whoever calls this decides, and must not send a secret unless verified is true.
Verdict judge(SSL* ssl, const PeerPolicy& policy);
// The server's side: version and cipher, and the client's certificate if it showed one. verified: by the CAs of the
// context, and valid today; `names` are then its mail addresses and DNS names.
Verdict describe(SSL* ssl);

// Channel binding for SCRAM-*-PLUS: "tls-exporter" (RFC 9266, TLS 1.3) or "tls-unique" (RFC 5929, TLS 1.2 with extended
// master secret); empty name when there is none.
struct ChannelBinding {
  std::string type;
  std::string data;
};
ChannelBinding channel_binding(SSL* ssl);

std::string last_error();  // text of OpenSSL's error queue, emptied

}  // namespace sidegate::tls
