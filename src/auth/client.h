// SASL, the client's side (RFC 4422, 4954): which mechanism, and its steps. No sockets: strings in, strings out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::auth {

// Without TLS, what may be shown to an unverified peer (promise 5 of doc/design.md).
enum class InsecureAuth : unsigned char { kNever, kChallenge, kAll };

struct Credentials {
  std::string user, password;
};

struct Circumstances {
  bool tls_verified = false;
  bool tls = false;
  InsecureAuth insecure = InsecureAuth::kNever;
  std::string binding_type, binding_data;  // channel binding ("tls-exporter" or "tls-unique", raw octets); empty: none
  bool certificate = false;                // TLS has shown ours
  std::string host;                        // the peer's name (DIGEST-MD5's digest-uri)
};

// Mechanisms from strongest to weakest that are offered, allowed (empty: all we know) and usable in these
// circumstances. `why` gets, for each offered one that is not used, the reason: for "no common mechanism".
std::vector<std::string> choose(const std::vector<std::string>& offered, const std::vector<std::string>& allowed,
                                const Circumstances& circumstances, std::vector<std::string>* why);

// One sentence for the queue and the log when choose() found nothing: offered, allowed and usable, whether the session
// had TLS, and what to change.
std::string no_common_mechanism(const std::vector<std::string>& offered, const std::vector<std::string>& allowed,
                                const Circumstances& circumstances);

class ClientMechanism {
 public:
  static Result<std::unique_ptr<ClientMechanism>> make(const std::string& name, const Credentials& credentials,
                                                       const Circumstances& circumstances);
  virtual ~ClientMechanism() = default;
  virtual const std::string& name() const = 0;
  // The initial response where the mechanism has one (RFC 4954 section 4), raw octets.
  virtual Result<std::optional<std::string>> initial() = 0;
  // The answer to a decoded challenge. An error (a server signature that does not verify) must end the exchange with
  // "*".
  virtual Result<std::string> step(std::string_view challenge) = 0;
  // After 235: did the mechanism come to its end (SCRAM and DIGEST-MD5 verify the server)?
  virtual Status finish() = 0;
};

}  // namespace sidegate::auth
