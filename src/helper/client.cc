#include "helper/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include <fmt/format.h>

namespace sidegate::helper {
namespace {

constexpr Duration kLookUp{30'000};

std::unexpected<Error> temporary(const Answer& a) {
  std::string text = a.text;
  if (a.cause == Cause::kSystem) text += fmt::format(": {}", std::strerror(a.code));
  return fail(ErrorKind::kUnreachable, std::move(text));
}

bool send_request(int socket, const std::string& packet, int passed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(c), &passed, sizeof passed);
  for (;;) {
    if (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace

Result<int> Client::begin(const Request& request) const {
  if (!socket_) return fail(ErrorKind::kUnreachable, "local delivery is off: its helper process was not started");
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    return std::unexpected(errno_error(errno, "a socket for the helper"));
  Descriptor ours(pair[0]), theirs(pair[1]);
  std::string packet = encode(request);
  if (packet.size() > kMaxRequest) return fail(ErrorKind::kTooLarge, "a request to the helper is too large");
  if (!send_request(socket_.get(), packet, theirs.get())) {
    bool full = errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS;
    if (full) return fail(ErrorKind::kOverload, "the local delivery helper is busy");
    return fail(ErrorKind::kUnreachable,
                fmt::format("the local delivery helper is gone ({}); restart sidegate", std::strerror(errno)));
  }
  return ours.release();
}

Result<Answer> Client::ask(const Request& request, std::string_view content, Duration limit) const {
  using namespace std::chrono;
  const auto until = steady_clock::now() + limit;
  auto left = [&] { return duration_cast<milliseconds>(until - steady_clock::now()).count(); };
  Result<int> begun = begin(request);
  while (!begun && begun.error().kind == ErrorKind::kOverload && left() > 0) {
    std::this_thread::sleep_for(20ms);
    begun = begin(request);
  }
  if (!begun) return std::unexpected(begun.error());
  Descriptor fd(*begun);
  // Short enough for the socket's buffer: what does not fit at once will not be read.
  if (!content.empty() && send(fd.get(), content.data(), content.size(), MSG_NOSIGNAL) < 0)
    return fail(ErrorKind::kUnreachable, "the helper does not listen");
  std::string bytes;
  char some[16 * 1024];
  for (;;) {
    pollfd look{fd.get(), POLLIN, 0};
    auto wait = left();
    if (wait <= 0 || poll(&look, 1, static_cast<int>(wait)) == 0)
      return fail(ErrorKind::kUnreachable, fmt::format("the helper did not answer in time ({})", name(request.verb)));
    ssize_t n = recv(fd.get(), some, sizeof some, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    bytes.append(some, static_cast<std::size_t>(n));
    if (bytes.size() > kMaxAnswer) break;
  }
  auto a = decode_answer(bytes);
  if (!a)
    return fail(ErrorKind::kUnreachable, fmt::format("the helper ended without an answer ({})", name(request.verb)));
  return std::move(*a);
}

Result<UnixUser> Client::find_user(const std::string& user) const {
  if (!is_user_name(user)) return fail(ErrorKind::kNotFound, "no such user");
  auto a = ask({.verb = Verb::kFindUser, .user = user}, kLookUp);
  if (!a) return std::unexpected(a.error());
  if (a->cause == Cause::kNoUser || a->cause == Cause::kNotAllowed) return fail(ErrorKind::kNotFound, "no such user");
  if (a->cause != Cause::kDone) return temporary(*a);
  return UnixUser{a->text, a->home, a->uid, a->gid};
}

Result<std::string> Client::verify_password(const std::string& user, const std::string& service,
                                            std::string_view password, Duration limit) const {
  if (!is_user_name(user) || password.empty() || password.size() > kMaxPassword)
    return fail(ErrorKind::kAuth, "no such user");
  Request request{.verb = Verb::kVerifyPassword, .user = user, .place = service};
  request.size = password.size();
  request.patience = static_cast<std::uint32_t>(std::clamp<Duration::rep>(limit.count(), 1, kMaxPatience));
  auto a = ask(request, password, limit);
  if (!a) return std::unexpected(a.error());
  if (a->cause == Cause::kDone) return std::move(a->text);
  if (a->cause == Cause::kNotAllowed) return fail(ErrorKind::kAuth, a->text);
  return temporary(*a);
}

Result<std::string> Client::read_forward(const std::string& user, const std::string& extension) const {
  if (!is_user_name(user)) return fail(ErrorKind::kNotFound, "no such user");
  Request request{.verb = Verb::kReadForward, .user = user};
  bool plain = extension.find('/') == std::string::npos && extension.size() <= kMaxName;
  if (plain) request.place = extension;
  auto a = ask(request, kLookUp);
  if (!a) return std::unexpected(a.error());
  if (a->cause == Cause::kDone) return std::move(a->text);
  if (a->cause == Cause::kNotFound || a->cause == Cause::kNoUser) return fail(ErrorKind::kNotFound, a->text);
  if (a->cause == Cause::kNotAllowed) return fail(ErrorKind::kRefused, a->text);
  return temporary(*a);
}

std::string Client::what_is_off() const {
  auto a = ask({.verb = Verb::kHello}, Duration(5000));
  if (!a) return "local delivery is off: " + a.error().text;
  if (a->uid == 0) return {};
  char names[4096];
  passwd entry{}, *own = nullptr;
  getpwuid_r(a->uid, &entry, names, sizeof names, &own);  // several may ask at once
  return fmt::format("not started as root: local delivery works for the user {} alone, mail for others waits",
                     own ? own->pw_name : std::to_string(a->uid));
}

}  // namespace sidegate::helper
