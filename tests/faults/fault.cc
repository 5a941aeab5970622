/* LD_PRELOAD: file-system calls on paths under a prefix fail or stall. See README.md and fault.h. */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

extern "C" {

static struct sidegate_fault* control;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t failed_mutex = PTHREAD_MUTEX_INITIALIZER;
struct identity { /* the number of an inode is used again, its time of birth is not */
  uint64_t inode, seconds;
  uint32_t nanoseconds;
};
static struct identity failed_files[256]; /* files whose sync failed */
static unsigned failed_count;

static void attach(void) {
  const char* path = getenv("FAULT_CONTROL");
  if (!path) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void* map = mmap(NULL, SIDEGATE_FAULT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (map != MAP_FAILED) control = static_cast<sidegate_fault*>(map);
}

static int path_is_meant(const char* path) {
  size_t n = strnlen(control->prefix, sizeof control->prefix);
  if (n == 0 || strncmp(path, control->prefix, n) != 0) return 0;
  return control->contains[0] == 0 || strstr(path, control->contains) != NULL;
}

static int fd_is_meant(int fd) {
  pthread_once(&once, attach);
  if (!control) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return path_is_meant(path);
}

static void stall(int ms) {
  if (ms <= 0) return;
  struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&t, &t) != 0 && errno == EINTR) {
  }
}

/* The errno to fail with, or 0; counts down where a count is set. */
static int fault(volatile int32_t* error) {
  int e = *error;
  if (e == 0) return 0;
  if (control->count > 0 && __sync_sub_and_fetch(&control->count, 1) == 0) *error = 0;
  __sync_add_and_fetch(&control->failed, 1);
  return e;
}

static struct identity who(int fd) {
  struct statx info;
  struct identity me = {0, 0, 0};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &info) == 0) {
    me.inode = info.stx_ino;
    me.seconds = (uint64_t)info.stx_btime.tv_sec;
    me.nanoseconds = info.stx_btime.tv_nsec;
  }
  return me;
}

static void remember_failed(int fd) {
  struct stat info;
  /* A folder stays the same when all its files are new. */
  if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return;
  struct identity me = who(fd);
  pthread_mutex_lock(&failed_mutex);
  if (failed_count < 256) failed_files[failed_count++] = me;
  pthread_mutex_unlock(&failed_mutex);
}

static void count_second_sync(int fd) {
  struct identity me = who(fd);
  pthread_mutex_lock(&failed_mutex);
  for (unsigned i = 0; i < failed_count; ++i) {
    const struct identity* one = &failed_files[i];
    if (one->inode == me.inode && one->seconds == me.seconds && one->nanoseconds == me.nanoseconds) {
      __sync_add_and_fetch(&control->syncs_after_failure, 1);
      break;
    }
  }
  pthread_mutex_unlock(&failed_mutex);
}

static int before_sync(int fd) {
  if (!fd_is_meant(fd)) return 0;
  __sync_add_and_fetch(&control->syncs, 1);
  stall(control->sync_stall_ms);
  if (failed_count) count_second_sync(fd);
  int e = fault(&control->sync_errno);
  if (e) remember_failed(fd);
  return e;
}

static int before_write(int fd) {
  if (!fd_is_meant(fd)) return 0;
  __sync_add_and_fetch(&control->writes, 1);
  stall(control->write_stall_ms);
  return fault(&control->write_errno);
}

#define REAL(type, name) \
  static type real;      \
  if (!real) real = (type)dlsym(RTLD_NEXT, name)

#define FAIL_IF(e)   \
  do {               \
    int fail_ = (e); \
    if (fail_) {     \
      errno = fail_; \
      return -1;     \
    }                \
  } while (0)

typedef int (*sync_fn)(int);
int fsync(int fd) {
  REAL(sync_fn, "fsync");
  FAIL_IF(before_sync(fd));
  return real(fd);
}
int fdatasync(int fd) {
  REAL(sync_fn, "fdatasync");
  FAIL_IF(before_sync(fd));
  return real(fd);
}

typedef ssize_t (*write_fn)(int, const void*, size_t);
ssize_t write(int fd, const void* p, size_t n) {
  REAL(write_fn, "write");
  FAIL_IF(before_write(fd));
  return real(fd, p, n);
}
typedef ssize_t (*pwrite_fn)(int, const void*, size_t, off_t);
ssize_t pwrite(int fd, const void* p, size_t n, off_t at) {
  REAL(pwrite_fn, "pwrite");
  FAIL_IF(before_write(fd));
  return real(fd, p, n, at);
}
ssize_t pwrite64(int fd, const void* p, size_t n, off_t at) {
  REAL(pwrite_fn, "pwrite64");
  FAIL_IF(before_write(fd));
  return real(fd, p, n, at);
}
typedef ssize_t (*writev_fn)(int, const struct iovec*, int);
ssize_t writev(int fd, const struct iovec* v, int n) {
  REAL(writev_fn, "writev");
  FAIL_IF(before_write(fd));
  return real(fd, v, n);
}

typedef int (*open_fn)(const char*, int, ...);
static int before_open(const char* path, int flags) {
  pthread_once(&once, attach);
  if (!control || !(flags & (O_WRONLY | O_RDWR)) || !path_is_meant(path)) return 0;
  return fault(&control->open_errno);
}
#define OPEN(function)                                           \
  int function(const char* path, int flags, ...) {               \
    REAL(open_fn, #function);                                    \
    mode_t mode = 0;                                             \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
      va_list args;                                              \
      va_start(args, flags);                                     \
      mode = va_arg(args, mode_t);                               \
      va_end(args);                                              \
    }                                                            \
    FAIL_IF(before_open(path, flags));                           \
    return real(path, flags, mode);                              \
  }
OPEN(open)
OPEN(open64)

}  // extern "C"
