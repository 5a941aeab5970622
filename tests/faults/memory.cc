/* LD_PRELOAD: operator new fails when told to, on the I/O threads ("io-0", ...) alone, for requests of some size. The
   control file named in MEMORY_CONTROL: how many octets a request must have, every how manieth of those fails (0:
   none), and how many have failed. See README.md. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

struct memory_control {
  volatile int64_t least, every, failed;
};

static memory_control* control;
static int64_t seen;

__attribute__((constructor)) static void map_control() {
  const char* path = getenv("MEMORY_CONTROL");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* place = mmap(nullptr, sizeof(memory_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (place != MAP_FAILED) control = static_cast<memory_control*>(place);
}

static bool fails(size_t size) {
  if (!control || control->every <= 0 || size < (size_t)control->least) return false;
  char name[16] = "";
  if (pthread_getname_np(pthread_self(), name, sizeof name) != 0 || strncmp(name, "io-", 3) != 0) return false;
  if (__atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST) % control->every != 0) return false;
  __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
  return true;
}

void* operator new(size_t size) {
  void* place = fails(size) ? nullptr : malloc(size ? size : 1);
  if (!place) throw std::bad_alloc();
  return place;
}
void* operator new[](size_t size) {
  return operator new(size);
}
void operator delete(void* place) noexcept {
  free(place);
}
void operator delete[](void* place) noexcept {
  free(place);
}
void operator delete(void* place, size_t) noexcept {
  free(place);
}
void operator delete[](void* place, size_t) noexcept {
  free(place);
}
