// The users' file on disk, for the command that changes it.
#pragma once

#include <string>

#include "base/result.h"

namespace sidegate::login {

class UserStore {
 public:
  // Reads it; a missing file is an empty one, and so is one in a missing folder, which is made when it is written.
  // to_write: nobody else changes it until this is gone. service: the Unix user whose group may read it; empty or
  // unknown: nobody but the owner. No symlink is followed.
  static Result<UserStore> open(const std::string& path, const std::string& service, bool to_write);
  UserStore(UserStore&& other) noexcept;
  UserStore& operator=(UserStore&&) = delete;
  ~UserStore();

  const std::string& text() const { return text_; }
  // In one step: whoever opens the file sees the old text or the new one, after a power cut too. Mode 0640.
  Status write(const std::string& text);

 private:
  UserStore() = default;
  int folder_ = -1;
  std::string path_, name_, text_;
  unsigned group_ = ~0u;
};

// "yescrypt", "bcrypt", "argon2id", ...: for people.
std::string_view hash_name(std::string_view hash);

}  // namespace sidegate::login
