#include "daemon/run.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "config/load.h"
#include "daemon/listeners.h"
#include "daemon/privileges.h"
#include "daemon/server.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kDrain{30'000};

void complain(const std::string& text) { std::fputs((text + "\n").c_str(), stderr); }

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kRefused: return EX_NOPERM;
    case ErrorKind::kBadInput:
    case ErrorKind::kNotFound: return EX_CONFIG;
    case ErrorKind::kConflict:
    case ErrorKind::kUnreachable: return EX_UNAVAILABLE;
    case ErrorKind::kNoSpace:
    case ErrorKind::kStorage: return EX_IOERR;
    default: return EX_OSERR;
  }
}

std::unique_ptr<LogStyle> log_style(config::LogStyleName name) {
  switch (name) {
    case config::LogStyleName::kPlain: return plain_log_style();
    case config::LogStyleName::kPostfix:
    case config::LogStyleName::kJson: return json_log_style();
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

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// What only root may do, in the order in which it must be done; then root is gone.
Result<std::vector<BoundListener>> prepare(const config::Settings& settings, std::vector<std::string>* warnings) {
  auto listeners = bind_listeners(settings.listeners, thread_count(settings), warnings);
  if (!listeners) return listeners;
  if (Status made = prepare_folder(settings.store.path, 0700, settings.user); !made) return std::unexpected(made.error());
  if (Status made = prepare_folder(parent_of(settings.control_socket), 0755, settings.user); !made) {
    warnings->push_back(made.error().text + ": there is no control socket");
  }
  if (Status became = become_user(settings.user); !became) return std::unexpected(became.error());
  return listeners;
}

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

Status reload(Server& server, const std::string& config_path, Log& log) {
  config::LoadResult loaded = config::load(config::LoadRequest::from_process(config_path));
  if (!loaded) {
    // Promise 9: a bad file leaves the old configuration running.
    std::string problems = config::text_of(loaded.error());
    log.error("reload_refused", {{"problems", problems}, {"next", "mend the file, then reload again; the old configuration stays in force"}});
    return fail(ErrorKind::kBadInput, std::move(problems));
  }
  Status done = server.reload(*loaded);
  if (done) log.info("reloaded", {{"file", loaded->path}});
  return done;
}

}  // namespace

int run(const std::string& config_path) {
  config::LoadResult loaded = config::load(config::LoadRequest::from_process(config_path));
  if (!loaded) {
    complain(config::text_of(loaded.error()));
    return EX_CONFIG;
  }
  // Before any thread starts: every thread inherits the mask, and the signals are taken here alone.
  sigset_t signals = our_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  std::size_t descriptors = harden_process();

  const config::Settings& settings = loaded->settings;
  std::vector<std::string> warnings;
  auto listeners = prepare(settings, &warnings);
  if (!listeners) {
    complain("sidegate: " + listeners.error().text);
    return exit_code(listeners.error().kind);
  }
  Log log(STDERR_FILENO, log_style(settings.log.style), log_level(settings.log.level));
  for (const config::Problem& warning : loaded->warnings) log.warning("configuration", {{"warning", warning.text()}});
  for (const std::string& warning : warnings) log.warning("start", {{"warning", warning}});
  if (geteuid() == 0) {
    log.warning("start", {{"warning", "running as root; set user = \"sidegate\" (useradd --system --no-create-home sidegate)"}});
  }

  std::unique_ptr<Server> server;
  auto started = Server::start(*loaded, std::move(*listeners), -1, log, {});
  if (!started) {
    log.error("start_failed", {{"error", started.error().text}});
    return exit_code(started.error().kind);
  }
  server = std::move(*started);
  log.info("started", {{"hostname", settings.hostname}, {"descriptors", descriptors}});

  for (;;) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    if (number == SIGHUP) {
      (void)reload(*server, config_path, log);
      continue;
    }
    log.info("stopping", {{"signal", number == SIGTERM ? "TERM" : "INT"}});
    break;
  }
  bool clean = server->drain(kDrain);
  log.info("stopped", {{"clean", clean}});
  if (!clean) {
    // Something on a loop would not end; the queue is closed and safe, and taking the rest apart is not.
    (void)server.release();
  }
  return EX_OK;
}

}  // namespace sidegate::daemon
