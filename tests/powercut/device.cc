#include "device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

namespace sidegate::tests {
namespace {

constexpr off_t kSize = 512 << 20;
#define SIDEGATE_EXT4_IOC_SHUTDOWN _IOR('X', 125, __u32)
constexpr __u32 kNoLogFlush = 2;

Result<std::string> attach_loop(const std::string& image) {
  int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return std::unexpected(errno_error(errno, "/dev/loop-control"));
  int file = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
  Result<std::string> loop = fail(ErrorKind::kRefused, "no free loop device");
  for (int i = 0; i < 20 && !loop; ++i) {  // another process may take the number we got
    int n = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (n < 0) break;
    std::string path = "/dev/loop" + std::to_string(n);
    int device = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (device < 0) continue;
    if (::ioctl(device, LOOP_SET_FD, file) == 0) loop = path;
    ::close(device);
  }
  ::close(file);
  ::close(control);
  return loop;
}

}  // namespace

Result<std::unique_ptr<Device>> Device::make(const std::string& directory) {
  if (::geteuid() != 0) return fail(ErrorKind::kRefused, "not root");
  std::unique_ptr<Device> self(new Device);
  self->image_ = directory + "/image";
  self->mount_point_ = directory + "/mnt";
  ::mkdir(self->mount_point_.c_str(), 0700);
  int fd = ::open(self->image_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, kSize) != 0) return std::unexpected(errno_error(errno, self->image_));
  ::close(fd);
  if (std::system(("mkfs.ext4 -q -F '" + self->image_ + "' >/dev/null 2>&1").c_str()) != 0) {
    return fail(ErrorKind::kRefused, "mkfs.ext4 does not work here");
  }
  auto loop = attach_loop(self->image_);
  if (!loop) return std::unexpected(loop.error());
  self->loop_ = *loop;
  if (auto mounted = self->mount(); !mounted) return std::unexpected(mounted.error());
  return self;
}

Status Device::mount() {
  if (::mount(loop_.c_str(), mount_point_.c_str(), "ext4", 0, "") != 0) {
    return std::unexpected(errno_error(errno, "cannot mount " + loop_));
  }
  mounted_ = true;
  return {};
}

Status Device::cut() {
  int fd = ::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(errno_error(errno, mount_point_));
  __u32 how = kNoLogFlush;
  int failed = ::ioctl(fd, SIDEGATE_EXT4_IOC_SHUTDOWN, &how);
  int error = errno;
  ::close(fd);
  if (failed) return std::unexpected(errno_error(error, "EXT4_IOC_SHUTDOWN"));
  return {};
}

Status Device::restore() {
  for (int i = 0; i < 100; ++i) {
    if (::umount(mount_point_.c_str()) == 0) {
      mounted_ = false;
      return mount();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return std::unexpected(errno_error(errno, "cannot unmount " + mount_point_));
}

Device::~Device() {
  if (mounted_) ::umount2(mount_point_.c_str(), MNT_DETACH);
  if (!loop_.empty()) {
    int fd = ::open(loop_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
      ::ioctl(fd, LOOP_CLR_FD, 0);
      ::close(fd);
    }
  }
}

}  // namespace sidegate::tests
