#include "dns/plain_question.h"

#include <netdb.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace sidegate::dns {

namespace {

constexpr auto kFirstWait = std::chrono::milliseconds(1000);
constexpr unsigned kSendLimit = 12;

// A socket connected to "ADDRESS" or "ADDRESS@PORT", so that only that server is heard; -1: no way there. The kernel
// chooses the port at random (RFC 5452 section 9.2).
int connect_to(const std::string& server) {
  std::size_t at = server.find('@');
  std::string address = server.substr(0, at);
  std::string port = at == std::string::npos ? "53" : server.substr(at + 1);
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  if (getaddrinfo(address.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    ::close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  return fd;
}

}  // namespace

void PlainQuestion::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void PlainQuestion::step(const std::vector<std::string>& servers, SteadyTime now) {
  if (now < next_) return;
  close();
  if (sent_ == kSendLimit || servers.empty()) {
    failed_ = static_cast<unsigned>(servers.size());
    next_ = SteadyTime::max();
    return;
  }
  fd_ = connect_to(servers[sent_ % servers.size()]);
  bool sent = false;
  if (fd_ >= 0 && getrandom(&id_, sizeof id_, 0) == sizeof id_) {
    auto question = make_question(id_, name_, type_);
    sent = question && ::send(fd_, question->data(), question->size(), MSG_NOSIGNAL) > 0;
  }
  ++sent_;
  if (!sent) ++failed_;
  // Each server is asked for a second, in the next round for two, and so on; one that cannot be reached, not at all.
  auto round = static_cast<int>((sent_ - 1) / servers.size());
  next_ = now + (sent ? kFirstWait * (1 << std::min(round, 3)) : kFirstWait / 10);
}

std::optional<Answer> PlainQuestion::read(const std::vector<std::string>& servers) {
  std::array<char, 4096> buffer;
  while (fd_ >= 0) {
    ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {  // ECONNREFUSED: nobody listens there; the next server
        close();
        ++failed_;
        next_ = std::min(next_, std::chrono::steady_clock::now() + kFirstWait / 10);
      }
      break;
    }
    auto answer = read_answer({buffer.data(), static_cast<std::size_t>(size)}, id_, name_, type_);
    if (!answer) continue;
    close();
    if (answer->definite() || ++failed_ >= servers.size()) return answer;
    next_ = SteadyTime();  // another server may know
    return std::nullopt;
  }
  if (fd_ < 0 && failed_ >= servers.size()) return Answer{Verdict::kSilent, {}, 0, "no server can be reached"};
  return std::nullopt;
}

}  // namespace sidegate::dns
