#include "daemon/sandbox.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "daemon/landlock.h"
#include "daemon/system_calls.h"

namespace sidegate::daemon {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitizers = true;  // they read /proc and stop threads to look at them
#else
constexpr bool kSanitizers = false;
#endif
#endif

}  // namespace

std::string Sandbox::text() const {
  std::string out = landlock > 0 ? fmt::format("Landlock {}", landlock) : "no Landlock";
  return out + (seccomp ? ", seccomp" : ", no seccomp");
}

Result<Sandbox> enter_sandbox(const SandboxPlan& plan) {
  Sandbox made;
  if (kSanitizers) {
    made.lacking.push_back("built with sanitizers: no sandbox");
    return made;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(errno_error(errno, "no_new_privs"));
  Result<int> files = restrict_files(plan.read, plan.write);
  if (!files) return std::unexpected(files.error());
  made.landlock = *files;
  if (made.landlock == 0)
    made.lacking.push_back("this kernel has no Landlock: the server can read what its user can read");
  Result<bool> calls = restrict_system_calls();
  if (!calls) return std::unexpected(calls.error());
  made.seccomp = *calls;
  if (!made.seccomp) made.lacking.push_back("this kernel has no seccomp filter: the server may make every system call");
  return made;
}

// Where resolv.conf is made by systemd-resolved, NetworkManager or resolvconf, it is a link to somewhere below /run,
// and it is replaced, not rewritten: its folder must be readable.
std::vector<std::string> places_of(const std::string& file) {
  std::vector<std::string> out;
  std::error_code error;
  for (const std::filesystem::path& path : {std::filesystem::path(file), std::filesystem::canonical(file, error)}) {
    const std::string folder = path.parent_path().string();
    if (path.empty()) continue;
    out.push_back(folder.empty() || folder == "/" ? path.string() : folder);  // a file in "/" is no reason to read all
  }
  return out;
}

std::vector<std::string> system_files() {
  std::vector<std::string> out = {"/etc",
                                  "/usr",
                                  "/lib",
                                  "/lib64",
                                  "/dev/null",
                                  "/dev/urandom",
                                  "/dev/random",
                                  "/proc/self",
                                  "/proc/cpuinfo",
                                  "/proc/sys",
                                  "/sys/devices/system/cpu"};
  for (std::string& place : places_of("/etc/resolv.conf")) out.push_back(std::move(place));
  for (const char* name : {"SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    if (const char* path = std::getenv(name)) out.emplace_back(path);
  }
  return out;
}

}  // namespace sidegate::daemon
