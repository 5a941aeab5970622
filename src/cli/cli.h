// The command line: arguments in, an exit code of sysexits.h out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/terminal.h"
#include "config/load.h"
#include "queue/store.h"

namespace sidegate::cli {

// What the binary lends to the command line.
struct Hooks {
  std::string version;
  // `sidegate run`: loads nothing itself at first; `request` is for reloads. Returns the exit code.
  std::function<int(const config::LoadRequest& request, config::Loaded loaded)> run;
  // The queue read from disk while the server is down. Empty: not possible.
  std::function<Result<std::unique_ptr<queue::Store>>(const std::string& path)> open_queue;
  // One change to it, made while the server is down. Empty: not possible.
  std::function<Status(const queue::StoreSettings& settings,
                       const std::function<Result<queue::Change>(queue::Store&)>& change)>
      change_queue;
  Clock* clock = nullptr;  // nullptr: the system's
  // Environment for the configuration; empty optional: the process's own (tests give theirs).
  std::function<config::LoadRequest(std::string path)> load_request;
};

int run(const std::vector<std::string>& arguments, const Hooks& hooks, const Terminal& terminal);
// The whole of main(): language, signals for pipes, arguments.
int run(int argc, char** argv, const Hooks& hooks);

}  // namespace sidegate::cli
