#include "daemon/run.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "admin/control_server.h"
#include "daemon/listeners.h"
#include "daemon/parent.h"
#include "daemon/privileges.h"
#include "daemon/start_log.h"

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

// What only root may do: sockets, and the folders that the server will own.
Status prepare(ServerInput& input) {
  const config::Settings& settings = input.loaded.settings;
  if (!settings.submit.socket.empty()) (void)prepare_folder(parent_of(settings.submit.socket), 0755, settings.user);
  auto listeners = bind_listeners(settings.all_listeners(), thread_count(settings), &input.warnings);
  if (!listeners) return std::unexpected(listeners.error());
  input.listeners = std::move(*listeners);
  if (Status folder = prepare_folder(settings.store.path, 0700, settings.user); !folder) return folder;
  if (Status drop = prepare_drop_folder(settings.submit.drop_directory, settings.user); !drop)
    input.warnings.push_back("no drop directory: " + drop.error().text);
  Status folder = prepare_folder(parent_of(settings.control_socket), 0755, settings.user);
  Result<int> control =
      folder ? admin::bind_control_socket(settings.control_socket, settings.user) : std::unexpected(folder.error());
  if (control) {
    input.control = *control;
  } else {
    // Mail goes on without it; `status` and `queue` then read the queue from disk or say that they cannot.
    input.warnings.push_back("no control socket: " + control.error().text);
  }
  return {};
}

// Before any thread starts: every thread inherits the mask, and the signals are taken where they are waited for.
int take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

}  // namespace

int run(const config::LoadRequest& request, config::Loaded loaded, const std::string& version) {
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
  return Parent(std::move(input), signals).run();
}

}  // namespace sidegate::daemon
