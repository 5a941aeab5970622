#include "daemon/system_calls.h"

#include <linux/fs.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

namespace sidegate::daemon {
namespace {

// By name, so that the list is one for every architecture: a name that this one does not have is passed over.
constexpr const char* kAllowed[] = {
    // bytes
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek",
    "_llseek", "sendfile", "copy_file_range", "splice",
    // files
    "open", "openat", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "flock", "stat", "fstat",
    "lstat", "newfstatat", "fstatat64", "statx", "statfs", "fstatfs", "statfs64", "fstatfs64", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "rename", "renameat", "renameat2",
    "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "link", "linkat", "ftruncate", "truncate", "fallocate",
    "fdatasync", "fsync", "sync_file_range", "fadvise64", "readahead", "utimensat", "chmod", "fchmod", "fchmodat",
    "umask", "memfd_create", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    // memory
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "membarrier",
    // threads
    "futex", "futex_time64", "futex_waitv", "get_robust_list", "set_robust_list", "rseq", "set_tid_address", "exit",
    "exit_group", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_setscheduler", "sched_get_priority_max", "sched_get_priority_min", "getcpu", "getpriority", "setpriority",
    "ioprio_set", "ioprio_get", "restart_syscall",
    // time
    "nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time", "times", "getrusage",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "getitimer", "setitimer",
    // waiting
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
    "poll", "ppoll", "select", "pselect6", "_newselect", "pipe", "pipe2", "signalfd", "signalfd4",
    // sockets; which families, below
    "socketpair", "connect", "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown",
    // signals; to whom, Landlock and the user say
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending", "rt_sigsuspend",
    "sigaltstack", "sigreturn", "tgkill",
    // who and where
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "getresgid",
    "getpgrp", "getpgid", "getsid", "uname", "sysinfo", "getrandom", "getrlimit", "setrlimit", "prlimit64", "prctl",
    "arch_prctl"};

// Not TIOCSTI: what is a terminal's output would be a way to type on it.
constexpr unsigned long kRequests[] = {FIONBIO, FIONREAD, FIOCLEX, TCGETS, TIOCGWINSZ, FS_IOC_GETVERSION};
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

scmp_arg_cmp argument(unsigned n, scmp_compare how, scmp_datum_t a, scmp_datum_t b = 0) {
  return {n, how, a, b};
}

int allow(scmp_filter_ctx filter, const char* name) {
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR || number < 0) return 0;  // another architecture's
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

int add_rules(scmp_filter_ctx filter) {
  for (const char* name : kAllowed) {
    if (int error = allow(filter, name); error != 0) return error;
  }
  for (int family : kFamilies) {
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                 argument(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
    if (error != 0) return error;
  }
  // Threads, not processes. clone3 hides its flags from a filter: it is "unknown", and the C library falls back on
  // clone.
  int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                               argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  if (error != 0) return error;
  for (unsigned long request : kRequests) {
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, argument(1, SCMP_CMP_EQ, request));
    if (error != 0) return error;
  }
  return 0;
}

}  // namespace

Result<bool> restrict_system_calls() {
  Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &seccomp_release);
  if (!filter) return fail(ErrorKind::kInternal, "seccomp: no filter could be made");
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 0);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: the same few steps for every call
  if (int error = add_rules(filter.get()); error != 0) return std::unexpected(errno_error(-error, "seccomp"));
  int error = seccomp_load(filter.get());
  if (error == -EINVAL || error == -ENOSYS || error == -EOPNOTSUPP) return false;
  if (error != 0) return std::unexpected(errno_error(-error, "seccomp: entering"));
  return true;
}

}  // namespace sidegate::daemon
