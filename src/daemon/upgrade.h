// A new binary takes our place: same process id, same listening sockets. The sockets stay open over execve(2), and
// their descriptors are named in a variable.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sidegate::daemon {

inline constexpr const char* kKeptSockets = "SIDEGATE_KEPT_SOCKETS";

struct KeptSocket {
  int fd = -1;
  std::string name;  // the one by which systemd's socket was matched; empty: it is known by its address
  bool operator==(const KeptSocket&) const = default;
};

// The variable's text: "PID", then a line "FD name" for each. Nothing where it is another process's or malformed.
std::string kept_text(const std::vector<KeptSocket>& sockets, pid_t pid);
std::vector<KeptSocket> kept_sockets(std::string_view text, pid_t pid);

// How this process was started: asked for once, at start, while the file is still the one that we run.
struct CommandLine {
  std::string file;                    // from the root
  std::vector<std::string> arguments;  // with the program's name
  static CommandLine of_this_process();
};

// Whether the binary that now lies at `file` takes the configuration: `config check` in a child whose id comes back.
Result<pid_t> start_check(const CommandLine& command, const std::string& config);

// Does not return when it succeeds. The caller's process is as it was otherwise.
Error become_new_binary(const CommandLine& command, const std::vector<KeptSocket>& sockets);

}  // namespace sidegate::daemon
