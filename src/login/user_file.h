// Our own file of users, a line each (doc/users.md is its format):
//
//   NAME:SECRET[ SECRET...][:FLAG[,FLAG...]]
//
// A SECRET is a hash of crypt(5) ("$y$...", "{CRYPT}$6$...") or of Argon2, "{SCRAM-SHA-256}N,SALT,STORED,SERVER" (or
// -SHA-1; base64, as Dovecot writes it), or "{PLAIN.B64}..." for CRAM-MD5. Flags: disabled, suspended. "#" begins a
// comment. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/server.h"

namespace sidegate::login {

inline constexpr std::size_t kMaxUserFile = 64u << 20;  // octets

struct User {
  std::string name;  // lower case
  std::string hash;  // of crypt(5) or Argon2; empty: none
  auth::Secret keys;
  bool disabled = false;   // by the operator
  bool suspended = false;  // by ourselves
  bool may_log_in() const { return !disabled && !suspended; }
};

struct UserProblem {
  unsigned line = 0;
  std::string text;  // without secrets
};

// Letters of ASCII in lower case: names are the same in either. Empty: no name (a colon, white space, control
// characters, malformed UTF-8, too long).
std::string canonical_name(std::string_view text);
bool is_known_hash(std::string_view text);

class UserFile {
 public:
  // A line that is wrong is left out and told of; the others stand.
  static UserFile parse(std::string_view text, std::vector<UserProblem>* problems = nullptr);
  const User* find(std::string_view name) const;  // canonical
  const std::vector<User>& users() const { return users_; }
  // Every user who may log in has what the mechanism needs (so that no client chooses one that fails); false: no users.
  bool all_have(auth::Needs needs) const;
  // Whose hash costs what most of them cost: what is computed for a user who is not there.
  const User* usual() const { return usual_ < users_.size() ? &users_[usual_] : nullptr; }
  std::uint32_t usual_iterations() const { return iterations_; }

 private:
  std::vector<User> users_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::size_t usual_ = SIZE_MAX;
  std::uint32_t iterations_ = 4096;
};

std::string user_line(const User& user);  // without LF
// The text with this user's line replaced, or appended; all other lines keep their octets.
std::string with_user(std::string_view text, const User& user);
std::string without_user(std::string_view text, std::string_view name);

}  // namespace sidegate::login
