// A Unix socket that is waited for no longer than until a moment: how Dovecot's and saslauthd's servers are asked.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace sidegate::login {

class UnixStream {  // blocks: on a worker
 public:
  static Result<UnixStream> connect(const std::string& path, SteadyTime until);
  UnixStream(UnixStream&& other) noexcept : fd_(std::exchange(other.fd_, -1)), until_(other.until_) {}
  UnixStream& operator=(UnixStream&&) = delete;
  ~UnixStream();

  Status write(std::string_view bytes);
  // Without its LF. kTooLarge: longer than `most`.
  Result<std::string> read_line(std::size_t most);
  Result<std::string> read(std::size_t n);

 private:
  UnixStream(int fd, SteadyTime until) : fd_(fd), until_(until) {}
  Status wait(short events) const;
  Status fill();

  int fd_;
  SteadyTime until_;
  std::string buffer_;
};

}  // namespace sidegate::login
