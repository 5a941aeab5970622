// Who verifies a password or a token. Every method waits, on a worker that belongs to this back end alone, and comes
// back before `until`: no other back end, and no session, is delayed by one that hangs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "login/settings.h"
#include "login/user_file.h"

namespace sidegate::helper {
class Client;
}

namespace sidegate::login {

// The user's canonical name; nullopt: wrong, unknown or not allowed. An error is temporary (454): nothing is known.
using Verdict = Result<std::optional<std::string>>;

class Backend {  // thread-safe
 public:
  virtual ~Backend() = default;
  virtual Verdict password(const std::string& user, const std::string& password, SteadyTime until) = 0;
  virtual Verdict token(const std::string& user, const std::string& token, SteadyTime until) { return std::nullopt; }
  virtual bool takes_passwords() const { return true; }
  virtual bool takes_tokens() const { return false; }
};

std::unique_ptr<Backend> make_file_backend(std::shared_ptr<const UserFile> users);
std::unique_ptr<Backend> make_pam_backend(const helper::Client& helper, std::string service);
std::unique_ptr<Backend> make_dovecot_backend(std::string socket);
std::unique_ptr<Backend> make_saslauthd_backend(std::string socket);
std::unique_ptr<Backend> make_ldap_backend(LdapSettings settings);
std::unique_ptr<Backend> make_oauth_backend(OauthSettings settings, Clock& clock);

// Milliseconds until then, for poll(); 0: it is over.
int milliseconds_left(SteadyTime until);

}  // namespace sidegate::login
