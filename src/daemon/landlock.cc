#include "daemon/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace sidegate::daemon {
namespace {

// The kernel's interface (landlock(7)). Written out here: the C library has no functions for it, and the headers of the
// oldest system we build on know only the first rights.
struct Ruleset {
  std::uint64_t files = 0, network = 0, scoped = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};
struct PortRule {
  std::uint64_t allowed = 0, port = 0;
};
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1, kNetPort = 2;

constexpr std::uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2, kReadDir = 1 << 3;
constexpr std::uint64_t kFirstRights = (1 << 13) - 1;  // execute .. make symlink
constexpr std::uint64_t kRefer = 1 << 13, kTruncate = 1 << 14, kIoctlDevice = 1 << 15;
constexpr std::uint64_t kMakeDevices = 1 << 6 | 1 << 11;  // character and block devices
constexpr std::uint64_t kMakeSymlink = 1 << 12;
constexpr std::uint64_t kFileRights = kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDevice;
constexpr std::uint64_t kBindTcp = 1;
constexpr std::uint64_t kAbstractSockets = 1, kSignals = 2;

long landlock_create(const Ruleset* rules, std::size_t size, unsigned flags) {
  return syscall(SYS_landlock_create_ruleset, rules, size, flags);
}

std::uint64_t rights_of(long abi) {
  std::uint64_t rights = kFirstRights;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kIoctlDevice;
  return rights;
}

// What is not there cannot be read either; so no error.
Status allow(int ruleset, const std::string& path, std::uint64_t rights) {
  int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat st{};
  PathRule rule{rights, fd};
  if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) rule.allowed &= kFileRights;
  long added = syscall(SYS_landlock_add_rule, ruleset, kPathBeneath, &rule, 0);
  int error = errno;
  close(fd);
  if (added != 0) return std::unexpected(errno_error(error, "Landlock: allowing " + path));
  return {};
}

Status allow_all(int ruleset, const std::vector<std::string>& read, const std::vector<std::string>& write,
                 std::uint64_t handled) {
  for (const std::string& path : read) {
    if (Status done = allow(ruleset, path, kReadFile | kReadDir); !done) return done;
  }
  const std::uint64_t writing = handled & ~(kExecute | kMakeDevices | kMakeSymlink | kIoctlDevice);
  for (const std::string& path : write) {
    if (Status done = allow(ruleset, path, writing); !done) return done;
  }
  return allow(ruleset, "/dev/null", kReadFile | kWriteFile);
}

}  // namespace

Result<int> restrict_files(const std::vector<std::string>& read, const std::vector<std::string>& write) {
  const long abi = landlock_create(nullptr, 0, kAskVersion);
  if (abi < 1) return 0;  // ENOSYS: not built in; EOPNOTSUPP: switched off
  Ruleset wanted;
  wanted.files = rights_of(abi);
  // Listening sockets come from the parent: the server itself may bind no port but one the kernel chooses.
  if (abi >= 4) wanted.network = kBindTcp;
  if (abi >= 6) wanted.scoped = kAbstractSockets | kSignals;
  std::size_t size = abi >= 6 ? sizeof wanted : abi >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
  int ruleset = static_cast<int>(landlock_create(&wanted, size, 0));
  if (ruleset < 0) return std::unexpected(errno_error(errno, "Landlock"));
  Status done = allow_all(ruleset, read, write, wanted.files);
  if (done && wanted.network != 0) {
    PortRule any{kBindTcp, 0};
    if (syscall(SYS_landlock_add_rule, ruleset, kNetPort, &any, 0) != 0)
      done = std::unexpected(errno_error(errno, "Landlock: allowing port 0"));
  }
  if (done && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
    done = std::unexpected(errno_error(errno, "Landlock: entering"));
  close(ruleset);
  if (!done) return std::unexpected(done.error());
  return static_cast<int>(abi);
}

}  // namespace sidegate::daemon
