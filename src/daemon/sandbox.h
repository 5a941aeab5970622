// What the server process gives up once it is itself: files (Landlock) and system calls (seccomp). Nothing gives them
// back. A kernel that lacks one of them is told about, not refused.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace sidegate::daemon {

struct SandboxPlan {
  std::vector<std::string> read;   // files and folders, with all below; what does not exist is left out
  std::vector<std::string> write;  // folders: everything but running programs
};

struct Sandbox {
  int landlock = 0;                  // the ABI's number; 0: not in force
  bool seccomp = false;              // in force
  std::string text() const;          // "Landlock 4, seccomp": for the log and `status`
  std::vector<std::string> lacking;  // sentences for the operator
};

// Before the first thread starts: both bind the calling thread and all that come from it. An error is a kernel that
// offers a thing and then refuses it.
Result<Sandbox> enter_sandbox(const SandboxPlan& plan);

// What must be readable for a file that is replaced now and then: its folder, and the folder of what it links to.
std::vector<std::string> places_of(const std::string& file);

// What every server reads: resolver, CAs, locales, time zone, libraries' data; and where resolv.conf really lies.
std::vector<std::string> system_files();

}  // namespace sidegate::daemon
