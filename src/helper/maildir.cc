#include "helper/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include <cstdio>

#include <fmt/format.h>

#include "helper/safe_path.h"

namespace sidegate::helper {
namespace {

// As the Maildir page asks: '/' and ':' do not stand in a file's name. What follows a ':' are flags (":2,"), which are
// the reader's to set and never stand in new/.
std::string host_in_name() {
  utsname system{};
  std::string host = uname(&system) == 0 ? system.nodename : "localhost";
  std::string out;
  for (char c : host) {
    if (c == '/' || c == ':' || static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

struct Folders {
  Descriptor top, tmp, fresh;
  std::string shown;
};

std::expected<Folders, Answer> open_folders(const Request& request, const Person& person) {
  auto place = parse_place(request.place, person);
  if (!place) return std::unexpected(answer(Cause::kNotAllowed, place.error().text));
  Folders f;
  f.shown = place->text(person);
  auto top = open_folder(*place, person, true, true);
  if (!top) return std::unexpected(top.error());
  f.top = std::move(*top);
  for (const char* name : {"tmp", "new", "cur"}) {
    auto one = open_below(f.top.get(), name, true, f.shown + "/" + name);
    if (!one) return std::unexpected(one.error());
    if (name[0] == 't') f.tmp = std::move(*one);
    if (name[0] == 'n') f.fresh = std::move(*one);
  }
  return f;
}

}  // namespace

std::optional<Answer> deliver_maildir(const Request& request, const Person& person, int socket) {
  auto folders = open_folders(request, person);
  if (!folders) return folders.error();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const std::string host = host_in_name();
  std::string temporary = fmt::format("{}.M{}P{}.{}", now.tv_sec, now.tv_nsec / 1000, getpid(), host);
  Descriptor file(
      openat(folders->tmp.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return system_trouble(fmt::format("making a file in {}/tmp", folders->shown));
  // From here on whatever goes wrong takes the file away again.
  auto undo = [&](std::optional<Answer> why) {
    unlinkat(folders->tmp.get(), temporary.c_str(), 0);
    return why;
  };
  Content content(socket, request, false);
  for (;;) {
    auto piece = content.next();
    if (!piece) return undo(std::nullopt);
    if (piece->empty()) break;
    if (!write_all(file.get(), *piece)) return undo(system_trouble(fmt::format("writing to {}/tmp", folders->shown)));
  }
  struct stat st{};
  if (fsync(file.get()) != 0 || fstat(file.get(), &st) != 0)
    return undo(system_trouble(fmt::format("writing to {}/tmp", folders->shown)));
  // Device and inode make it unique on this host for as long as it is there.
  std::string name = fmt::format("{}.V{:x}I{:x}M{}.{}", now.tv_sec, static_cast<unsigned long>(st.st_dev),
                                 static_cast<unsigned long>(st.st_ino), now.tv_nsec / 1000, host);
  // link, not rename: it never writes over a file that is there already.
  if (linkat(folders->tmp.get(), temporary.c_str(), folders->fresh.get(), name.c_str(), 0) != 0) {
    bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK || errno == EXDEV;
    if (!no_links ||
        renameat2(folders->tmp.get(), temporary.c_str(), folders->fresh.get(), name.c_str(), RENAME_NOREPLACE) != 0) {
      return undo(system_trouble(fmt::format("moving a message to {}/new", folders->shown)));
    }
  }
  if (!sync_folder(folders->fresh.get())) {
    Answer why = system_trouble(fmt::format("syncing {}/new", folders->shown));
    unlinkat(folders->fresh.get(), name.c_str(), 0);
    return undo(std::move(why));
  }
  unlinkat(folders->tmp.get(), temporary.c_str(), 0);
  return answer(Cause::kDone, folders->shown);
}

}  // namespace sidegate::helper
