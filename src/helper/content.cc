#include "helper/content.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sidegate::helper {
namespace {

constexpr std::size_t kPiece = 32 * 1024;

}  // namespace

std::optional<std::string_view> Content::next() {
  bool more = false;
  return take(true, &more);
}

std::optional<std::string_view> Content::next_now(bool* more) {
  return take(false, more);
}

std::optional<std::string_view> Content::take(bool wait, bool* more) {
  *more = true;
  if (ended_) return std::string_view();
  if (!std::exchange(began_, true) && !out_.empty()) return out_;  // the head
  for (;;) {
    out_.clear();
    if (left_ == 0) {
      ended_ = true;
      lines_.finish(out_);
      return out_;
    }
    char piece[kPiece];
    std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left_, sizeof piece));
    ssize_t n = recv(socket_, piece, want, wait ? 0 : MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !wait) {
      *more = false;
      return std::string_view();
    }
    if (n <= 0) return std::nullopt;
    left_ -= static_cast<std::uint64_t>(n);
    lines_.push({piece, static_cast<std::size_t>(n)}, out_);
    if (!out_.empty()) return out_;
  }
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace sidegate::helper
