#include "daemon/run.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "admin/control_server.h"
#include "daemon/handed_sockets.h"
#include "daemon/listeners.h"
#include "daemon/parent.h"
#include "daemon/privileges.h"
#include "daemon/start_log.h"
#include "daemon/upgrade.h"

namespace sidegate::daemon {
namespace {

void complain(const std::string& text) {
  std::fputs((text + "\n").c_str(), stderr);
}

unsigned thread_count(const config::Settings& settings) {
  if (settings.threads != 0) return settings.threads;
  return std::max(1u, std::thread::hardware_concurrency());
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

Result<int> own_or_new_control(const std::vector<HandedSocket>& handed, const config::Settings& settings) {
  if (!handed.empty()) return handed.front().fd;
  return admin::bind_control_socket(settings.control_socket, settings.user);
}

// What only root may do: sockets, and the folders that the server will own. Those of its sockets it does not: it makes
// nothing there, and a root without CAP_DAC_OVERRIDE must be able to.
Status prepare(ServerInput& input) {
  const config::Settings& settings = input.loaded.settings;
  auto handed = HandedSockets::of_environment();
  if (!handed) return std::unexpected(handed.error());
  if (!settings.submit.socket.empty()) (void)prepare_folder(parent_of(settings.submit.socket), 0755, "");
  // A socket that an upgrade kept is never closed for want of a thread: clients may wait in it.
  const auto threads =
      static_cast<unsigned>(std::max<std::size_t>(thread_count(settings), handed->most_at_one_place()));
  std::vector<HandedSocket> own = handed->take({settings.control_socket, 0}, "control");
  auto listeners = bind_listeners(settings.all_listeners(), threads, *handed, &input.warnings);
  if (!listeners) return std::unexpected(listeners.error());
  input.listeners = std::move(*listeners);
  if (Status folder = prepare_folder(settings.store.path, 0700, settings.user); !folder) return folder;
  if (Status drop = prepare_drop_folder(settings.submit.drop_directory, settings.user); !drop)
    input.warnings.push_back("no drop directory: " + drop.error().text);
  Status folder = prepare_folder(parent_of(settings.control_socket), 0755, "");
  Result<int> control = folder ? own_or_new_control(own, settings) : std::unexpected(folder.error());
  if (control) {
    input.control = *control;
  } else {
    // Mail goes on without it; `status` and `queue` then read the queue from disk or say that they cannot.
    input.warnings.push_back("no control socket: " + control.error().text);
  }
  return handed->close_rest(&input.warnings);
}

// Before any thread starts: every thread inherits the mask, and the signals are taken where they are waited for.
int take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

}  // namespace

int run(const config::LoadRequest& request, config::Loaded loaded, const std::string& version) {
  const CommandLine command = CommandLine::of_this_process();
  int signals = take_signals();
  ServerInput input;
  input.request = request;
  input.loaded = std::move(loaded);
  input.version = version;
  input.descriptors = harden_process();
  if (Status prepared = prepare(input); !prepared) {
    complain("sidegate: " + prepared.error().text);
    return exit_code(prepared.error().kind);
  }
  return Parent(std::move(input), signals, command).run();
}

}  // namespace sidegate::daemon
