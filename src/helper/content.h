// The content of a delivery as it arrives from the server, brought into Unix form. Runs as the user.
#pragma once

#include <optional>
#include <string>

#include "helper/format.h"
#include "helper/protocol.h"

namespace sidegate::helper {

class Content {
 public:
  Content(int socket, const Request& request, bool quote_from)
      : socket_(socket), left_(request.size), lines_(quote_from), out_(request.head) {}

  // The next piece, at most about 64 KiB; empty at the end. Waits. nullopt: the server is gone before the end: what has
  // come is no message and must not be kept.
  std::optional<std::string_view> next();
  // The same for a socket that does not wait: what is there. `more` is false when nothing is there yet.
  std::optional<std::string_view> next_now(bool* more);
  bool ended() const { return ended_; }

 private:
  std::optional<std::string_view> take(bool wait, bool* more);

  int socket_;
  std::uint64_t left_;
  UnixLines lines_;
  std::string out_;
  bool began_ = false, ended_ = false;
};

// All of it; false: errno.
bool write_all(int fd, std::string_view bytes);

}  // namespace sidegate::helper
