// Between the parent and the server: small messages over a SOCK_SEQPACKET pair, in order and whole. What may be long
// (configuration, secrets) travels in a sealed memory file beside the message, so no bound of the socket matters and
// nothing touches a disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace sidegate::daemon {

enum class Topic : std::uint8_t {
  kReady,          // server -> parent: it serves
  kPleaseReload,   // server -> parent: the control socket's `reload`
  kConfiguration,  // parent -> server: config::Files::packed()
  kRefused,        // parent -> server: the problems, as text; the old configuration stays
  kRenewed,        // parent -> server: as kConfiguration, unasked: files that it names have changed, and it has not
  kApplied,        // server -> parent: kConfiguration or kRefused is dealt with; the problems, where there were any
  kAreYouThere,    // parent -> server
  kAlive,       // server -> parent: the answer, once every I/O thread has had its turn; the text is a line for people
  kPleaseStop,  // parent -> server: SIGTERM, from a parent that may not send signals to other users (no CAP_KILL)
};

struct Note {
  Topic topic{};
  std::string text;
};

class Channel {  // one end; one thread writes, one reads
 public:
  static Result<std::pair<Channel, Channel>> pair();
  Channel() = default;
  explicit Channel(int fd) : fd_(fd) {}
  Channel(Channel&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Channel& operator=(Channel&& other) noexcept;
  ~Channel() { close(); }

  Status send(Topic topic, std::string_view text = {}) const;
  // Waits for one. kClosed: the other end is gone. kProtocol: it is nothing of ours.
  Result<Note> receive() const;
  int fd() const { return fd_; }
  void close();

 private:
  int fd_ = -1;
};

}  // namespace sidegate::daemon
