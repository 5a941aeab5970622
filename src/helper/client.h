// The server's side of the helper.
#pragma once

#include <string>

#include "base/clock.h"
#include "helper/descriptor.h"
#include "helper/protocol.h"

namespace sidegate::helper {

struct UnixUser {
  std::string name, home;
  std::uint32_t uid = 0, gid = 0;
};

// Thread-safe: every request has a socket of its own.
class Client {
 public:
  explicit Client(int socket) : socket_(socket) {}  // takes it

  // --- these wait: on a worker thread, or in a program of one thread.
  // kNotFound: there is no such user. kUnreachable: users cannot be looked up now, or the helper is gone: temporary.
  Result<UnixUser> find_user(const std::string& name) const;
  // The text of ~/.forward (with an extension: of ~/.forward+EXTENSION where there is one). kNotFound: there is none.
  // kRefused: there is one, and it cannot be trusted (a link, others may write to it, ...); the text says why.
  // kUnreachable: not to be had now.
  Result<std::string> read_forward(const std::string& user, const std::string& extension = "") const;
  // By PAM. The user's name as PAM has it; kAuth: wrong, unknown, locked, or root. Else: nothing is known now.
  Result<std::string> verify_password(const std::string& user, const std::string& service, std::string_view password,
                                      Duration limit) const;
  Result<Answer> ask(const Request& request, Duration limit) const { return ask(request, {}, limit); }
  // What cannot be done here, for `status`; empty: nothing is off.
  std::string what_is_off() const;

  // --- this one does not. The descriptor over which the content goes and the answer comes (at its end of file).
  // kOverload: too much waits for the helper; ask again a little later. kUnreachable: the helper is gone.
  Result<int> begin(const Request& request) const;

 private:
  Result<Answer> ask(const Request& request, std::string_view content, Duration limit) const;
  Descriptor socket_;
};

}  // namespace sidegate::helper
