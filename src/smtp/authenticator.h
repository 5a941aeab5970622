// What a server session asks about logins (RFC 4954); the room `login` implements it. Thread-safe, and it outlives
// every session. What takes time is awaited on the session's own thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/server.h"
#include "net/stream.h"

namespace sidegate::smtp {

struct SessionInfo;

struct LoginTry {  // one AUTH command
  const SessionInfo& session;
  std::string_view mechanism;
};

// The user's canonical name; nullopt: wrong, unknown or not allowed. An error is temporary: 454, and its text for the
// log.
using LoginVerdict = Result<std::optional<std::string>>;

enum class LoginEnd : std::uint8_t {
  kWrong,        // the credentials are: a guess, perhaps
  kLimited,      // nobody was asked: too many failures before
  kUnavailable,  // a back end cannot say now
  kAborted,      // by the client, or it does not keep to the protocol
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // What is offered now, in this order. binding: -PLUS is possible; certificate: a verified one names somebody.
  virtual std::vector<std::string_view> mechanisms(bool binding, bool certificate) const = 0;
  virtual net::Awaitable<LoginVerdict> password(LoginTry attempt, std::string user, std::string password) = 0;
  virtual net::Awaitable<LoginVerdict> token(LoginTry attempt, std::string user, std::string token) = 0;
  // What is stored for the user; for one who is not there, what nobody's password opens.
  virtual net::Awaitable<Result<auth::Secret>> secret(LoginTry attempt, std::string user) = 0;
  // The mechanism itself has proved that it is this user: may they log in?
  virtual net::Awaitable<LoginVerdict> proven(LoginTry attempt, std::string user) = 0;
  // It came to nothing: logged, and counted where it was a guess; waits as long as who guesses must wait.
  virtual net::Awaitable<void> failed(LoginTry attempt, std::string user, std::string why, LoginEnd end) = 0;
  virtual void succeeded(LoginTry attempt, const std::string& user) = 0;
};

}  // namespace sidegate::smtp
