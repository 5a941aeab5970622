/* LD_PRELOAD: the program aborts when it sends what contains the text in CRASH_ON over a socket. See README.md. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" {

static void look(const void* bytes, size_t n) {
  static const char* text = getenv("CRASH_ON");
  if (text && *text && memmem(bytes, n, text, strlen(text))) abort();
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
  return real(fd, bytes, n);
}
typedef ssize_t (*writev_fn)(int, const struct iovec*, int);
ssize_t writev(int fd, const struct iovec* v, int n) {
  REAL(writev_fn, "writev");
  look_at_vector(fd, v, n > 0 ? (size_t)n : 0);
  return real(fd, v, n);
}

}  // extern "C"
