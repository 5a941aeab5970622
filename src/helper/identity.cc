#include "helper/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <vector>

#include <fmt/format.h>

namespace sidegate::helper {

Answer answer(Cause cause, std::string text, int code) {
  Answer a;
  a.cause = cause;
  a.code = code;
  a.text = std::move(text);
  return a;
}

Answer system_trouble(std::string doing) {
  int code = errno;
  return answer(Cause::kSystem, std::move(doing), code);
}

std::expected<Person, Answer> find_person(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> space(64 * 1024);
  int error = getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found);
  if (found) {
    Person person;
    person.name = person.login = entry.pw_name;
    person.home = entry.pw_dir ? entry.pw_dir : "";
    person.shell = entry.pw_shell && *entry.pw_shell ? entry.pw_shell : "/bin/sh";
    person.uid = entry.pw_uid;
    person.gid = entry.pw_gid;
    if (!is_user_name(person.name)) return std::unexpected(answer(Cause::kNotAllowed, "a user with an unusable name"));
    return person;
  }
  // getpwnam(3): these all mean "not found" on some system.
  bool absent = error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
  if (absent) return std::unexpected(answer(Cause::kNoUser, name));
  return std::unexpected(answer(Cause::kUnavailable, "looking up the user " + name, error));
}

std::expected<Person, Answer> identity_for(const Request& request) {
  auto person = find_person(request.user);
  if (!person) return person;
  // A file that root wrote for root is read as root; everything else is done by somebody else.
  bool reads = request.verb == Verb::kReadForward;
  if (person->uid == 0 && !reads) {
    // As Postfix: what is for root is done with the rights of an unprivileged user.
    if (request.instead.empty())
      return std::unexpected(answer(Cause::kNotAllowed, "nothing is delivered with root's rights"));
    auto instead = find_person(request.instead);
    if (!instead || instead->uid == 0) {
      return std::unexpected(answer(Cause::kNotAllowed,
                                    fmt::format("nothing is delivered with root's rights, and default_user = \"{}\" is "
                                                "no other user of this system",
                                                request.instead)));
    }
    instead->home = person->home;
    instead->name = person->name;  // whose mail it stays: %u, LOGNAME
    person = std::move(instead);
  }
  if (geteuid() != 0 && person->uid != geteuid()) {
    return std::unexpected(
        answer(Cause::kNotAllowed,
               fmt::format("this server does not run as root, so it delivers to its own user alone and not to {}",
                           request.user)));
  }
  return person;
}

std::optional<Answer> become(const Person& person, std::optional<gid_t> group) {
  if (person.uid == 0) return answer(Cause::kNotAllowed, "nothing is delivered with root's rights");
  if (geteuid() != 0) return std::nullopt;  // ours already: identity_for
  gid_t gid = group.value_or(person.gid);
  bool grouped = initgroups(person.login.c_str(), person.gid) == 0;
  if (!grouped || setresgid(gid, gid, gid) != 0 || setresuid(person.uid, person.uid, person.uid) != 0)
    return system_trouble("becoming " + person.name);
  uid_t r = 0, e = 0, s = 0;
  gid_t gr = 0, ge = 0, gs = 0;
  bool became = getresuid(&r, &e, &s) == 0 && getresgid(&gr, &ge, &gs) == 0 && r == person.uid && e == person.uid &&
                s == person.uid && gr == gid && ge == gid && gs == gid && setuid(0) != 0 && setgid(0) != 0;
  prctl(PR_SET_DUMPABLE, 0);  // changing the uid resets it
  if (!became) return answer(Cause::kNotAllowed, "could not become " + person.name + " for good");
  return std::nullopt;
}

}  // namespace sidegate::helper
