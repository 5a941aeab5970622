/* LD_PRELOAD: the program aborts when it sends what contains the text in CRASH_ON over a socket, or is killed behind
   its n-th write to RocksDB's log (CRASH_AFTER_LOG_WRITE=n). See README.md. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {

static void look(const void* bytes, size_t n) {
  static const char* text = getenv("CRASH_ON");
  if (text && *text && memmem(bytes, n, text, strlen(text))) abort();
}

/* The power of a random kill with none of its chance: the process ends behind exactly this write. Once, whichever
   process of the program it is: the count is shared with those that are forked. */
static int* left_to_write;

__attribute__((constructor)) static void set_log_writes() {
  const char* text = getenv("CRASH_AFTER_LOG_WRITE");
  if (!text) return;
  void* place = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return;
  left_to_write = static_cast<int*>(place);
  *left_to_write = atoi(text);
}

static bool is_log[4096]; /* by descriptor; the program's sandbox keeps us from asking the kernel */

static int note_log(int fd, const char* path) {
  const size_t n = path ? strlen(path) : 0;
  if (fd >= 0 && fd < 4096) is_log[fd] = n > 4 && strcmp(path + n - 4, ".log") == 0;
  return fd;
}

static void count_log_write(int fd) {
  if (!left_to_write || fd < 0 || fd >= 4096 || !is_log[fd]) return;
  if (__atomic_sub_fetch(left_to_write, 1, __ATOMIC_SEQ_CST) == 0) abort();
}

static void look_at_vector(int fd, const struct iovec* v, size_t n) {
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  for (size_t i = 0; i < n; ++i) look(v[i].iov_base, v[i].iov_len);
}

static void look_at(int fd, const void* bytes, size_t n) {
  struct iovec one = {const_cast<void*>(bytes), n};
  look_at_vector(fd, &one, 1);
}

#define REAL(type, name) static type real = (type)dlsym(RTLD_NEXT, name)

typedef ssize_t (*send_fn)(int, const void*, size_t, int);
ssize_t send(int fd, const void* bytes, size_t n, int flags) {
  REAL(send_fn, "send");
  look_at(fd, bytes, n);
  return real(fd, bytes, n, flags);
}
typedef ssize_t (*sendmsg_fn)(int, const struct msghdr*, int);
ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  REAL(sendmsg_fn, "sendmsg");
  look_at_vector(fd, message->msg_iov, message->msg_iovlen);
  return real(fd, message, flags);
}
typedef ssize_t (*write_fn)(int, const void*, size_t);
ssize_t write(int fd, const void* bytes, size_t n) {
  REAL(write_fn, "write");
  look_at(fd, bytes, n);
  const ssize_t written = real(fd, bytes, n);
  count_log_write(fd);
  return written;
}
typedef ssize_t (*writev_fn)(int, const struct iovec*, int);
ssize_t writev(int fd, const struct iovec* v, int n) {
  REAL(writev_fn, "writev");
  look_at_vector(fd, v, n > 0 ? (size_t)n : 0);
  return real(fd, v, n);
}

typedef int (*open_fn)(const char*, int, ...);
int open(const char* path, int flags, ...) {
  REAL(open_fn, "open");
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return note_log(real(path, flags, mode), path);
}
int open64(const char* path, int flags, ...) {
  REAL(open_fn, "open64");
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return note_log(real(path, flags, mode), path);
}

}  // extern "C"
