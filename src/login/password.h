// Passwords and what is stored of them. Slow on purpose: for a worker.
#pragma once

#include "login/user_file.h"

namespace sidegate::login {

// By crypt(5) of the system's libxcrypt, or Argon2.
bool verify_hash(const std::string& hash, const std::string& password);
// yescrypt, at the library's cost.
Result<std::string> make_hash(const std::string& password);

// Whether it is this user's password, by what is stored of it.
bool verify_password(const User& user, const std::string& password);
// The same work for a user who is not there; always false.
bool verify_nobody(const UserFile& file, const std::string& password);

struct Storing {
  bool scram = true;  // keys for SCRAM-SHA-1 and -256 beside the hash
  bool cram = false;  // the password itself, for CRAM-MD5
};
// Replaces what is stored of the password in `user`. kBadInput: it cannot be one (empty, NUL, too long; for SCRAM what
// SASLprep forbids).
Status store_password(User& user, const std::string& password, Storing storing);

std::string random_octets(std::size_t n);
void wipe(std::string& secret);

}  // namespace sidegate::login
