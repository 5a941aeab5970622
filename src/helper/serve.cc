#include "helper/serve.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "helper/command.h"
#include "helper/forward.h"
#include "helper/maildir.h"
#include "helper/mbox.h"
#include "helper/verify_password.h"

namespace sidegate::helper {
namespace {

void send_answer(int socket, const Answer& a) {
  std::string bytes = encode(a);
  for (std::string_view rest = bytes; !rest.empty();) {
    ssize_t n = send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody is there to be told
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  shutdown(socket, SHUT_WR);
}

Answer found(const Person& person) {
  Answer a;
  a.cause = Cause::kDone;
  a.text = person.name;
  a.home = person.home.size() <= kMaxPlace ? person.home : "";
  a.shell = person.shell.size() <= kMaxPlace ? person.shell : "";
  a.uid = person.uid;
  a.gid = person.gid;
  return a;
}

Answer hello() {
  Answer a = answer(Cause::kDone, "");
  a.uid = geteuid();
  a.gid = getegid();
  return a;
}

std::optional<Answer> as_user(const Request& request, const Person& person, int socket) {
  switch (request.verb) {
    case Verb::kReadForward:
      return read_forward(request, person);
    case Verb::kMaildir:
      return deliver_maildir(request, person, socket);
    case Verb::kMbox:
    case Verb::kFile:
      return deliver_mbox(request, person, socket);
    case Verb::kCommand:
      return deliver_command(request, person, socket);
    default:
      return answer(Cause::kBadRequest, "");
  }
}

std::optional<Answer> done(const Request& request, int socket) {
  if (request.verb == Verb::kHello) return hello();
  if (request.verb == Verb::kFindUser) {
    auto person = find_person(request.user);
    return person ? found(*person) : person.error();
  }
  if (request.verb == Verb::kVerifyPassword) return verify_password(request, socket);
  auto person = identity_for(request);
  if (!person) return person.error();
  if (person->uid == 0)
    return request.verb == Verb::kReadForward ? read_forward(request, *person) : answer(Cause::kNotAllowed, "");
  auto group = spool_group(request, *person);
  if (auto why = become(*person, group)) return why;
  return as_user(request, *person, socket);
}

}  // namespace

int serve(const Request& request, int socket) {
  umask(077);
  rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  rlimit files{256, 256};
  setrlimit(RLIMIT_NOFILE, &files);
  auto a = done(request, socket);
  if (!a) return 1;
  send_answer(socket, *a);
  return 0;
}

}  // namespace sidegate::helper
