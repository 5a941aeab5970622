#include "daemon/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sidegate::daemon {
namespace {

constexpr std::size_t kMostText = 64 << 20;

Result<int> memory_file(std::string_view text) {
  int fd = memfd_create("sidegate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return std::unexpected(errno_error(errno, "making a memory file"));
  while (!text.empty()) {
    ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int error = errno;
      close(fd);
      return std::unexpected(errno_error(error, "writing a memory file"));
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

Result<std::string> text_of_file(int fd) {
  struct stat st{};
  if (fstat(fd, &st) != 0) return std::unexpected(errno_error(errno, "reading a memory file"));
  if (static_cast<std::size_t>(st.st_size) > kMostText) return fail(ErrorKind::kProtocol, "memory file too large");
  std::string text(static_cast<std::size_t>(st.st_size), '\0');
  std::size_t at = 0;
  while (at < text.size()) {
    ssize_t n = pread(fd, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(ErrorKind::kProtocol, "memory file too short");
    at += static_cast<std::size_t>(n);
  }
  return text;
}

union Ancillary {  // room for one descriptor, aligned as cmsg wants it
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int))];
};

// One note on the socket: an octet that says what it is, and a descriptor beside it.
struct Packet {
  char octet = 0;
  iovec part{&octet, 1};
  msghdr message{};
  Ancillary room{};

  Packet() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &room;
    message.msg_controllen = sizeof room;
  }
  Packet(const Packet&) = delete;  // the message points into it
};

}  // namespace

Result<std::pair<Channel, Channel>> Channel::pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return std::unexpected(errno_error(errno, "making a socket pair"));
  return std::pair<Channel, Channel>(Channel(ends[0]), Channel(ends[1]));
}

Channel& Channel::operator=(Channel&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void Channel::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Status Channel::send(Topic topic, std::string_view text) const {
  auto file = memory_file(text);
  if (!file) return std::unexpected(file.error());
  Packet packet;
  packet.octet = static_cast<char>(topic);
  cmsghdr* header = CMSG_FIRSTHDR(&packet.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &*file, sizeof(int));
  ssize_t sent;
  do {
    sent = sendmsg(fd_, &packet.message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  int error = errno;
  ::close(*file);
  if (sent != 1) return std::unexpected(errno_error(error, "writing to the other process"));
  return {};
}

Result<Note> Channel::receive() const {
  Packet packet;
  ssize_t got;
  do {
    got = recvmsg(fd_, &packet.message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::unexpected(errno_error(errno, "reading from the other process"));
  if (got == 0) return fail(ErrorKind::kClosed, "the other process is gone");
  const char octet = packet.octet;
  cmsghdr* header = CMSG_FIRSTHDR(&packet.message);
  bool one = header != nullptr && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int));
  if (!one || octet < 0 || octet > static_cast<char>(Topic::kPleaseStop))
    return fail(ErrorKind::kProtocol, "the other process said nothing of ours");
  int file = -1;
  std::memcpy(&file, CMSG_DATA(header), sizeof(int));
  auto text = text_of_file(file);
  ::close(file);
  if (!text) return std::unexpected(text.error());
  return Note{static_cast<Topic>(octet), std::move(*text)};
}

}  // namespace sidegate::daemon
