#include "daemon/run.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "admin/control_server.h"
#include "admin/postfix_log_style.h"
#include "daemon/listeners.h"
#include "daemon/privileges.h"
#include "daemon/server.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kDrain{30'000};

void complain(const std::string& text) {
  std::fputs((text + "\n").c_str(), stderr);
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kRefused:
      return EX_NOPERM;
    case ErrorKind::kBadInput:
    case ErrorKind::kNotFound:
      return EX_CONFIG;
    case ErrorKind::kConflict:
    case ErrorKind::kUnreachable:
      return EX_UNAVAILABLE;
    case ErrorKind::kNoSpace:
    case ErrorKind::kStorage:
      return EX_IOERR;
    default:
      return EX_OSERR;
  }
}

std::unique_ptr<LogStyle> log_style(const config::Settings& settings) {
  // Under systemd the journal writes time and host itself.
  bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  switch (settings.log.style) {
    case config::LogStyleName::kPlain:
      return plain_log_style();
    case config::LogStyleName::kPostfix:
      return admin::postfix_log_style(journal ? "" : settings.hostname, getpid());
    case config::LogStyleName::kJson:
      return json_log_style();
  }
  return json_log_style();
}

LogLevel log_level(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

unsigned thread_count(const config::Settings& settings) {
  if (settings.threads != 0) return settings.threads;
  return std::max(1u, std::thread::hardware_concurrency());
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

struct Prepared {
  std::vector<BoundListener> listeners;
  int control = -1;
};

// What only root may do, in the order in which it must be done; then root is gone.
Result<Prepared> prepare(const config::Settings& settings, std::vector<std::string>* warnings) {
  Prepared made;
  auto listeners = bind_listeners(settings.listeners, thread_count(settings), warnings);
  if (!listeners) return std::unexpected(listeners.error());
  made.listeners = std::move(*listeners);
  if (Status folder = prepare_folder(settings.store.path, 0700, settings.user); !folder)
    return std::unexpected(folder.error());
  Status folder = prepare_folder(parent_of(settings.control_socket), 0755, settings.user);
  Result<int> control =
      folder ? admin::bind_control_socket(settings.control_socket, settings.user) : std::unexpected(folder.error());
  if (control) {
    made.control = *control;
  } else {
    // Mail goes on without it; `status` and `queue` then read the queue from disk or say that they cannot.
    warnings->push_back("no control socket: " + control.error().text);
  }
  if (Status became = become_user(settings.user); !became) return std::unexpected(became.error());
  return made;
}

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

// SIGHUP and the control socket's `reload`: a bad file leaves the old configuration in force (promise 9).
Result<std::vector<std::string>> reload(Server* server, const config::LoadRequest& request, Log& log) {
  if (!server) return fail(ErrorKind::kConflict, "the server is still starting");
  config::LoadResult loaded = config::load(request);
  if (!loaded) {
    std::string problems = config::text_of(loaded.error());
    log.error("reload_refused", {{"problems", problems},
                                 {"next", "mend the file, then reload again; the old configuration stays in force"}});
    return fail(ErrorKind::kBadInput, std::move(problems));
  }
  std::string path = loaded->path;
  auto restart = server->reload(std::move(*loaded));
  if (!restart) {
    log.error("reload_refused", {{"problems", restart.error().text}});
    return restart;
  }
  for (const std::string& key : *restart) log.warning("needs_restart", {{"key", key}});
  log.info("reloaded", {{"file", path}});
  return restart;
}

void say_warnings(const config::Loaded& loaded, const std::vector<std::string>& warnings, Log& log) {
  for (const config::Problem& warning : loaded.warnings) log.warning("configuration", {{"warning", warning.text()}});
  for (const std::string& warning : warnings) log.warning("start", {{"warning", warning}});
  if (geteuid() == 0) {
    log.warning("start",
                {{"warning", "running as root; set user = \"sidegate\" (useradd --system --no-create-home sidegate)"}});
  }
}

}  // namespace

int run(const config::LoadRequest& request, config::Loaded loaded, const std::string& version) {
  // Before any thread starts: every thread inherits the mask, and the signals are taken here alone.
  sigset_t signals = our_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  std::size_t descriptors = harden_process();

  const config::Settings settings = loaded.settings;
  std::vector<std::string> warnings;
  auto prepared = prepare(settings, &warnings);
  if (!prepared) {
    complain("sidegate: " + prepared.error().text);
    return exit_code(prepared.error().kind);
  }
  Log log(STDERR_FILENO, log_style(settings), log_level(settings.log.level));
  say_warnings(loaded, warnings, log);

  std::atomic<Server*> running{nullptr};
  auto started = Server::start(std::move(loaded), std::move(prepared->listeners), prepared->control, version, log,
                               [&] { return reload(running, request, log); });
  if (!started) {
    log.error("start_failed", {{"error", started.error().text}});
    return exit_code(started.error().kind);
  }
  std::unique_ptr<Server> server = std::move(*started);
  running = server.get();
  log.info("started", {{"version", version}, {"hostname", settings.hostname}, {"descriptors", descriptors}});

  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) {
      log.info("stopping", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
      break;
    }
    (void)reload(server.get(), request, log);
  }
  bool clean = server->drain(kDrain);
  log.info("stopped", {{"clean", clean}});
  // What would not end on a loop is left alone: the queue is closed and safe, and the process ends here.
  if (!clean) (void)server.release();
  return EX_OK;
}

}  // namespace sidegate::daemon
