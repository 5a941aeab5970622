// SASL, the server's side (RFC 4422): a pure step machine. Octets of the client in, what to do next out. It asks
// nobody: a user's secret and the verdict on a password or token are named as needs, and the caller, who may wait,
// brings them.
//
//   step = mechanism->begin(initial response)         then, until kDone or kFailed:
//     kChallenge  send `text`, and give what comes back to response()
//     kSecret     fetch what is stored for `user`, give it to secret(); unknown users get fake_secret() (RFC 5802
//     section 9) kPassword   verify `user` and `password`, give the answer to verified() kToken      verify the bearer
//     token `password` (claimed user: `user`, may be empty), give the answer to verified() kDone       `user` has
//     logged in kFailed     `malformed`: the dialogue was broken (501); else the credentials are wrong (535). `text` is
//     for the log.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::auth {

inline constexpr std::size_t kMaxExchange = 12288;  // RFC 4954 section 4: octets of a line, base64 and CRLF

struct ScramKeys {  // RFC 5802 section 3; raw octets
  std::uint32_t iterations = 0;
  std::string salt, stored_key, server_key;
  bool operator==(const ScramKeys&) const = default;
};

// What is stored for a user, of which a mechanism takes its part.
struct Secret {
  std::optional<ScramKeys> sha1, sha256;
  std::optional<std::string> password;  // CRAM-MD5 needs the password itself
};

struct ServerCircumstances {
  std::string binding_type = {};  // "tls-exporter" or "tls-unique"; empty: nothing to bind to
  std::string binding_data = {};  // raw octets
  std::string external = {};      // whom a verified client certificate names; empty: nobody
};

struct ServerStep {
  enum class Kind : std::uint8_t { kChallenge, kSecret, kPassword, kToken, kDone, kFailed };
  Kind kind = Kind::kFailed;
  std::string text = {};
  std::string user = {};
  std::string password = {};
  bool malformed = false;
};

class ServerMechanism {
 public:
  virtual ~ServerMechanism() = default;
  // nullopt: the client sent no initial response. An empty one is "=" on the wire (RFC 4954 section 4).
  virtual ServerStep begin(std::optional<std::string_view> initial) = 0;
  virtual ServerStep response(std::string_view octets) = 0;
  virtual ServerStep secret(const Secret& secret);
  // The canonical name where the credentials are right, nullopt where they are wrong.
  virtual ServerStep verified(const std::optional<std::string>& user);
};

// What a mechanism needs of the back ends: decides what is offered.
enum class Needs : std::uint8_t { kPassword, kPlainSecret, kScramSha1, kScramSha256, kToken, kCertificate };

struct ServerMechanismRow {
  std::string_view name;
  Needs needs;
  bool binds = false;
};
// Strongest first; LOGIN after PLAIN, CRAM-MD5 last: in the order in which they are offered.
const std::vector<ServerMechanismRow>& server_mechanisms();
const ServerMechanismRow* find_server_mechanism(std::string_view name);  // any case

// nullptr: not one of ours, or not usable in these circumstances (-PLUS without a binding, EXTERNAL without a
// certificate).
std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name, ServerCircumstances circumstances);

enum class ScramHash : std::uint8_t { kSha1, kSha256 };
// kBadInput: the password holds what SASLprep forbids. Slow: for a worker.
Result<ScramKeys> scram_keys(ScramHash hash, std::string_view password, std::string_view salt,
                             std::uint32_t iterations);
// Salt and keys that nobody's password makes, the same ones for the same name and key: an unknown user looks like one
// with another password.
Secret fake_secret(std::string_view key, std::string_view user, std::uint32_t iterations);

// SASLprep (RFC 4013), so that what a client types on another keyboard is the same password; nullopt: not allowed in
// it.
std::optional<std::string> saslprep(std::string_view text);

}  // namespace sidegate::auth
