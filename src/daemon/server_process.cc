#include "daemon/server_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "daemon/privileges.h"
#include "daemon/sandbox.h"
#include "daemon/server.h"
#include "daemon/start_log.h"
#include "intake/alias_files.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kDrain{30'000};
constexpr std::chrono::seconds kParentAnswers{30};

using Reloaded = Result<std::vector<std::string>>;

int signal_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

class ServerProcess {
 public:
  ServerProcess(ServerInput input, Channel parent)
      : input_(std::move(input)), parent_(std::move(parent)), signals_(signal_descriptor()) {}
  int run();

 private:
  Status give_up_privileges();
  int serve_until_told();
  bool told();  // false: it is time to stop
  void noted(const Note& note);
  void renewed(const std::string& packed);
  Reloaded apply(const std::string& packed);
  Reloaded ask_parent();

  ServerInput input_;
  Channel parent_;
  int signals_;
  Sandbox sandbox_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Server> server_;

  std::mutex mutex_;  // over what follows: the control socket's reload waits on a worker for what the main thread gets
  std::condition_variable answered_;
  std::uint64_t asked_ = 0, answers_ = 0;
  Reloaded answer_;
};

// In this order: Landlock may forbid what becoming the user needs, and the user's change clears the parent-death
// signal.
Status ServerProcess::give_up_privileges() {
  const config::Settings& settings = input_.loaded.settings;
  if (Status became = become_user(settings.user); !became) return became;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!settings.sandbox) {
    sandbox_.lacking.push_back("sandbox = false");
    return {};
  }
  SandboxPlan plan;
  plan.read = system_files();
  for (const std::string& file : {settings.dns.resolv_conf, settings.dns.hosts}) {
    for (std::string& place : places_of(file)) plan.read.push_back(std::move(place));
  }
  for (std::string& folder : intake::folders_of(settings.alias)) plan.read.push_back(std::move(folder));
  plan.write = {settings.store.path};
  if (!settings.submit.drop_directory.empty()) plan.write.push_back(settings.submit.drop_directory);
  auto entered = enter_sandbox(plan);
  if (!entered) return fail(entered.error().kind, entered.error().text + "; sandbox = false goes without");
  sandbox_ = std::move(*entered);
  return {};
}

int ServerProcess::run() {
  Status dropped = give_up_privileges();
  const config::Settings& settings = input_.loaded.settings;
  log_ = std::make_unique<Log>(STDERR_FILENO, log_style(settings), log_level(settings.log.level));
  if (!dropped) {
    log_->error("start_failed", {{"error", dropped.error().text}});
    return exit_code(dropped.error().kind);
  }
  for (const config::Problem& warning : input_.loaded.warnings)
    log_->warning("configuration", {{"warning", warning.text()}});
  if (geteuid() == 0) {
    sandbox_.lacking.push_back(
        "the server runs as root; set user = \"sidegate\" (useradd --system --no-create-home sidegate)");
  }
  for (const auto& texts : {input_.warnings, sandbox_.lacking}) {
    for (const std::string& warning : texts) log_->warning("start", {{"warning", warning}});
  }
  return serve_until_told();
}

int ServerProcess::serve_until_told() {
  const std::string hostname = input_.loaded.settings.hostname;
  auto started = Server::start(std::move(input_.loaded), std::move(input_.listeners), input_.control, input_.helper,
                               {.version = input_.version, .sandbox = sandbox_.text(), .off = sandbox_.lacking}, *log_,
                               [this] { return ask_parent(); });
  if (!started) {
    log_->error("start_failed", {{"error", started.error().text}});
    return exit_code(started.error().kind);
  }
  server_ = std::move(*started);
  log_->info("started", {{"version", input_.version},
                         {"hostname", hostname},
                         {"descriptors", input_.descriptors},
                         {"sandbox", sandbox_.text()}});
  (void)parent_.send(Topic::kReady, server_->status_line());
  while (told()) {
  }
  bool clean = server_->drain(kDrain);
  log_->info("stopped", {{"clean", clean}});
  // What would not end on a loop is left alone: the queue is closed and safe, and the process ends here.
  if (!clean) (void)server_.release();
  return EX_OK;
}

bool ServerProcess::told() {
  pollfd waits[2] = {{signals_, POLLIN, 0}, {parent_.fd(), POLLIN, 0}};
  if (poll(waits, 2, -1) < 0) return true;
  if (waits[0].revents != 0) {
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != sizeof info) return true;
    if (info.ssi_signo == SIGHUP) return parent_.send(Topic::kPleaseReload).has_value();
    log_->info("stopping", {{"signal", info.ssi_signo == SIGTERM ? "TERM" : "INT"}});
    return false;
  }
  if (waits[1].revents == 0) return true;
  auto note = parent_.receive();
  if (!note) {
    log_->error("stopping", {{"error", note.error().text}});
    return false;
  }
  if (note->topic == Topic::kPleaseStop) {
    log_->info("stopping", {{"signal", "TERM"}});
    return false;
  }
  noted(*note);
  return true;
}

// SIGHUP and the control socket's `reload`: a bad file leaves the old configuration in force (promise 9).
void ServerProcess::noted(const Note& note) {
  if (note.topic == Topic::kRenewed) return renewed(note.text);
  if (note.topic == Topic::kAreYouThere) {
    Server* server = server_.get();
    return server->when_all_have_had_a_turn(
        [this, server] { (void)parent_.send(Topic::kAlive, server->status_line()); });
  }
  Reloaded done =
      note.topic == Topic::kConfiguration ? apply(note.text) : Reloaded(fail(ErrorKind::kBadInput, note.text));
  if (!done) {
    log_->error("reload_refused", {{"problems", done.error().text},
                                   {"next", "mend the file, then reload again; the old configuration stays in force"}});
  } else {
    for (const std::string& key : *done) log_->warning("needs_restart", {{"key", key}});
    log_->info("reloaded", {{"file", input_.loaded.path}});
  }
  (void)parent_.send(Topic::kApplied, done ? std::string() : done.error().text);
  std::lock_guard lock(mutex_);
  answer_ = std::move(done);
  answers_ = asked_;
  answered_.notify_all();
}

void ServerProcess::renewed(const std::string& packed) {
  Reloaded done = apply(packed);
  if (done) {
    log_->info("files_renewed", {{"file", input_.loaded.path}});
  } else {
    log_->error("files_not_renewed", {{"problems", done.error().text}});
  }
}

Reloaded ServerProcess::apply(const std::string& packed) {
  auto files = config::Files::unpacked(packed);
  if (!files) return std::unexpected(files.error());
  config::LoadRequest request = input_.request;
  request.files = std::make_shared<config::Files>(std::move(*files));
  config::LoadResult loaded = config::load(request);
  if (!loaded) return fail(ErrorKind::kInternal, config::text_of(loaded.error()));  // the parent took it
  input_.loaded.path = loaded->path;
  return server_->reload(std::move(*loaded));
}

// On a worker: the parent reads the files, the main thread applies them, and this waits for both.
Reloaded ServerProcess::ask_parent() {
  std::unique_lock lock(mutex_);
  if (Status sent = parent_.send(Topic::kPleaseReload); !sent) return std::unexpected(sent.error());
  const std::uint64_t mine = ++asked_;
  bool in_time = answered_.wait_for(lock, kParentAnswers, [&] { return answers_ >= mine; });
  if (!in_time) return fail(ErrorKind::kTimeout, "the parent process does not answer");
  return answer_;
}

}  // namespace

int serve(ServerInput input, Channel parent) {
  ServerProcess process(std::move(input), std::move(parent));
  return process.run();
}

}  // namespace sidegate::daemon
