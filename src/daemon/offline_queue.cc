#include "daemon/offline_queue.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>

#include "base/clock.h"
#include "base/log.h"
#include "queue/rocksdb_store.h"

namespace sidegate::daemon {
namespace {

Status become_owner(const struct stat& directory) {
  if (geteuid() != 0 || directory.st_uid == 0) return {};
  if (setgroups(0, nullptr) != 0 || setgid(directory.st_gid) != 0 || setuid(directory.st_uid) != 0)
    return std::unexpected(errno_error(errno, "cannot become the owner of the queue"));
  return {};
}

Status commit(queue::Store& store, queue::Change change) {
  std::promise<Status> answer;
  auto got = answer.get_future();
  store.commit(std::move(change), [&answer](Status status) { answer.set_value(std::move(status)); });
  return got.get();
}

Status work(const queue::StoreSettings& settings, const struct stat& directory,
            const std::function<Result<queue::Change>(queue::Store&)>& change) {
  if (Status became = become_owner(directory); !became) return became;
  auto store = queue::open_rocksdb_store(settings, system_clock(), null_log());
  if (!store) return std::unexpected(store.error());
  auto wanted = change(**store);
  if (!wanted) return std::unexpected(wanted.error());
  return commit(**store, std::move(*wanted));  // the store goes here: it syncs what it was given
}

// The kind in one octet, then the text.
void tell(int fd, const Status& status) {
  std::string text(1, status ? '\0' : static_cast<char>(1 + static_cast<int>(status.error().kind)));
  if (!status) text += status.error().text.substr(0, 4000);
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

Status heard(int fd) {
  std::string text;
  char some[4096];
  for (;;) {
    const ssize_t n = ::read(fd, some, sizeof some);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(some, static_cast<std::size_t>(n));
  }
  if (text.empty()) return fail(ErrorKind::kInternal, "the process that was to change the queue has died");
  if (text[0] == '\0') return {};
  return fail(static_cast<ErrorKind>(text[0] - 1), text.substr(1));
}

}  // namespace

Status change_queue(const queue::StoreSettings& settings,
                    const std::function<Result<queue::Change>(queue::Store&)>& change) {
  struct stat directory{};
  if (::stat(settings.path.c_str(), &directory) != 0) return std::unexpected(errno_error(errno, settings.path));
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  const pid_t child = ::fork();
  if (child < 0) {
    const int why = errno;
    ::close(pipe[0]);
    ::close(pipe[1]);
    return std::unexpected(errno_error(why, "fork"));
  }
  if (child == 0) {
    ::close(pipe[0]);
    tell(pipe[1], work(settings, directory, change));
    ::_exit(0);
  }
  ::close(pipe[1]);
  Status done = heard(pipe[0]);
  ::close(pipe[0]);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return done;
}

}  // namespace sidegate::daemon
