#include "daemon/parent.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "daemon/helper_process.h"
#include "daemon/idle_memory.h"
#include "daemon/start_log.h"

namespace sidegate::daemon {
namespace {

constexpr Duration kLookAtFiles{2000};
// A server that is being started is no hanging one, for so long.
constexpr Duration kLongestStart{600'000};
constexpr Duration kFirstPause{200}, kLongestPause{30'000}, kHealthy{60'000};

Duration since(SteadyTime begin) {
  return std::chrono::duration_cast<Duration>(system_clock().steady() - begin);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

Duration Restarts::after(Duration served) {
  if (served >= kHealthy) count_ = 0;
  Duration pause = kFirstPause * (1u << std::min(count_, 10u));
  ++count_;
  return std::min(pause, kLongestPause);
}

Parent::Parent(ServerInput input, int signals, CommandLine command)
    : input_(std::move(input)),
      signals_(signals),
      style_(log_style(input_.loaded.settings)),
      command_(std::move(command)) {
  config::LoadRequest request = input_.request;
  request.files = std::make_shared<config::Files>();
  (void)config::load(request);  // for the sake of what it reads
  files_ = request.files;
  look_again_ = system_clock().steady() + kLookAtFiles;
}

int Parent::run() {
  if (start_server() == Step::kEnd) return exit_code_;
  for (;;) {
    if (wait_for_events(until_something_is_due()) == Step::kEnd) return exit_code_;
    look_at_files();
    tend_service();
    if (server_ < 0 && since(start_again_) >= Duration(0) && start_server() == Step::kEnd) return exit_code_;
    if (helper_is_missing() && since(helper_again_) >= Duration(0)) start_helper_again();
  }
}

// For poll(): milliseconds, -1 for ever.
int Parent::until_something_is_due() const {
  std::optional<SteadyTime> due;
  if (server_ < 0) due = start_again_;
  if (helper_is_missing()) due = due ? std::min(*due, helper_again_) : helper_again_;
  if (server_ > 0 && !stopping_) due = due ? std::min(*due, look_again_) : look_again_;
  if (service_.there()) due = due ? std::min(*due, tend_again_) : tend_again_;
  if (!due) return -1;
  return static_cast<int>(std::max<Duration::rep>(0, -since(*due).count()));
}

Parent::Step Parent::wait_for_events(int timeout) {
  pollfd waits[2] = {{signals_, POLLIN, 0}, {channel_.fd(), POLLIN, 0}};
  int ready = poll(waits, 2, timeout);  // a negative descriptor (no server now) is passed over
  if (ready <= 0) return Step::kGoOn;
  // Notes first: what the server said before it ended still counts.
  if (waits[1].revents != 0) noted();
  if (waits[0].revents != 0) return signalled();
  return Step::kGoOn;
}

Parent::Step Parent::signalled() {
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) != sizeof info) return Step::kGoOn;
  switch (info.ssi_signo) {
    case SIGHUP:
      reload();
      return Step::kGoOn;
    case SIGUSR2:
      start_upgrade();
      return Step::kGoOn;
    case SIGTERM:
    case SIGINT:
      upgrading_ = false;
      (void)service_.stopping("ending; mail under way is brought to its end");
      stop_server();
      return server_ < 0 ? Step::kEnd : Step::kGoOn;
    default:
      break;
  }
  std::optional<int> ended, checked;
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {  // one signal may stand for several
    if (pid == server_) ended = status;
    if (pid == check_) checked = status;
    if (pid != helper_) continue;
    helper_ended(status);
  }
  if (ended && server_ended(*ended) == Step::kEnd) return Step::kEnd;
  return checked ? new_binary_checked(*checked) : Step::kGoOn;
}

void Parent::helper_ended(int status) {
  helper_ = -1;
  if (server_ < 0 || stopping_) return;
  Duration pause = helper_restarts_.after(since(helper_started_));
  helper_again_ = system_clock().steady() + pause;
  std::string how = how_it_ended(status);
  say(LogLevel::kError, "helper_died",
      {{"how", how},
       {"again_in_ms", static_cast<std::int64_t>(pause.count())},
       {"next", "mail for this machine waits until it is started again"}});
}

void Parent::stop_server() {
  stopping_ = true;
  if (server_ > 0 && kill(server_, SIGTERM) != 0 && errno == EPERM) (void)channel_.send(Topic::kPleaseStop);
}

Parent::Step Parent::server_ended(int status) {
  while (channel_.fd() >= 0) noted();  // to its end
  server_ = -1;
  serving_ = asked_ = false;
  if (upgrading_) return upgrade();
  bool failed_to_start = !ever_ready_ && WIFEXITED(status);
  if (stopping_ || failed_to_start || (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
    return Step::kEnd;
  }
  Duration pause = restarts_.after(since(started_));
  start_again_ = system_clock().steady() + pause;
  std::string how = how_it_ended(status);
  (void)service_.alive("the server died (" + how + ") and is started again");
  say(LogLevel::kError, "server_died",
      {{"how", how},
       {"again_in_ms", static_cast<std::int64_t>(pause.count())},
       {"next", "the queue is on disk and the ports stay open; it is started again"}});
  return Step::kGoOn;
}

// --- Starting: the child becomes the server and never comes back here

// One for each server: it ends when the last server that has its socket does. Nobody but that server keeps the socket.
void Parent::start_helper() {
  helper_ = -1;  // the one of the server before ends by itself
  if (helper_end_ >= 0) close(std::exchange(helper_end_, -1));
  auto started = daemon::start_helper();
  if (!started) {
    input_.warnings.push_back("no local delivery: " + started.error().text);
    return;
  }
  helper_ = started->pid;
  helper_started_ = system_clock().steady();
  helper_end_ = started->end;
  input_.helper = started->socket;
}

void Parent::start_helper_again() {
  helper_started_ = system_clock().steady();
  auto pid = start_helper_at(helper_end_);
  if (pid) {
    helper_ = *pid;
    return;
  }
  helper_again_ = system_clock().steady() + helper_restarts_.after(Duration(0));
  say(LogLevel::kError, "helper_died", {{"how", pid.error().text}});
}

Parent::Step Parent::start_server() {
  start_helper();
  auto ends = Channel::pair();
  if (!ends) {
    say(LogLevel::kError, "start_failed", {{"error", ends.error().text}});
    exit_code_ = EX_OSERR;
    return Step::kEnd;
  }
  const pid_t parent = getpid();
  started_ = system_clock().steady();
  server_ = fork();
  if (server_ < 0) {
    std::string error = errno_error(errno, "starting the server process").text;
    say(LogLevel::kError, "start_failed", {{"error", error}});
    exit_code_ = EX_OSERR;
    return Step::kEnd;
  }
  if (server_ > 0) {
    channel_ = std::move(ends->first);
    if (input_.helper >= 0) close(std::exchange(input_.helper, -1));
    input_.warnings.clear();
    return Step::kGoOn;
  }
  ends->first.close();
  close(signals_);
  if (helper_end_ >= 0) close(helper_end_);
  // The server never outlives its parent: whoever starts it anew finds the queue free. (Changing the uid clears this;
  // it is set again then.)
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  exit_code_ = getppid() == parent ? serve(std::move(input_), std::move(ends->second)) : EX_UNAVAILABLE;
  return Step::kEnd;
}

// --- Notes from the server, and configurations to it

void Parent::noted() {
  auto note = channel_.receive();
  if (!note) return channel_.close();
  switch (note->topic) {
    case Topic::kReady:
      ever_ready_ = serving_ = true;
      let_go_of_start();
      (void)service_.ready(note->text);
      return;
    case Topic::kPleaseReload:
      return reload();
    case Topic::kApplied:
      (void)service_.ready(note->text.empty() ? "serving with the configuration as it is now"
                                              : "serving; the changed configuration was refused: " + note->text);
      return;
    case Topic::kAlive:
      return told_alive(note->text);
    default:
      return;
  }
}

// The parent judges the file; the server, which loads the same octets, only has to apply them (promise 9).
void Parent::reload() {
  (void)service_.reloading("reading the configuration");
  config::LoadRequest request = input_.request;
  request.files = std::make_shared<config::Files>();
  config::LoadResult loaded = config::load(request);
  if (!serving_) (void)service_.ready("the server is being started");  // nobody else would say that it is over
  if (!loaded) {
    if (channel_.fd() >= 0) (void)channel_.send(Topic::kRefused, config::text_of(loaded.error()));
    return;
  }
  input_.loaded = std::move(*loaded);
  files_ = request.files;
  renewal_problem_.clear();
  refresh_policies(input_.listeners, input_.loaded.settings.all_listeners());
  if (channel_.fd() >= 0) (void)channel_.send(Topic::kConfiguration, request.files->packed());
}

// Certificates, keys and passwords that were renewed go to the server without anybody's asking. The configuration
// itself stays as it was: who edits it says when it is done.
void Parent::look_at_files() {
  if (server_ < 0 || stopping_ || since(look_again_) < Duration(0)) return;
  look_again_ = system_clock().steady() + kLookAtFiles;
  if (!files_->changed()) return;
  config::LoadRequest request = input_.request;
  request.files = std::make_shared<config::Files>(files_->again(input_.loaded.path));
  config::LoadResult loaded = config::load(request);
  if (!loaded) {
    // Certificate and key change one after the other: what does not fit at the first look is no news.
    std::string problem = config::text_of(loaded.error());
    if (problem != renewal_problem_) {
      renewal_problem_ = std::move(problem);
      problem_told_ = false;
    } else if (!problem_told_) {
      problem_told_ = true;
      say(LogLevel::kError, "files_not_renewed",
          {{"problems", renewal_problem_}, {"next", "what was read before stays in force until this is mended"}});
    }
    return;
  }
  renewal_problem_.clear();
  const std::string before = files_->packed();
  files_ = request.files;
  if (files_->packed() == before) return;  // touched, and the same
  input_.loaded = std::move(*loaded);
  refresh_policies(input_.listeners, input_.loaded.settings.all_listeners());
  if (channel_.fd() >= 0) (void)channel_.send(Topic::kRenewed, files_->packed());
}

// --- What the service manager hears

// Beyond the start, only an answer of the server feeds the watchdog: all its I/O threads had a turn. While it drains it
// answers nothing, and its end is bounded; a start is, too.
void Parent::tend_service() {
  if (!service_.there() || since(tend_again_) < Duration(0)) return;
  tend_again_ = system_clock().steady() + service_.interval();
  if (stopping_) return (void)service_.alive(upgrading_ ? "a new version takes over" : "ending");
  if (!serving_) {
    if (server_ < 0 || since(started_) < kLongestStart) (void)service_.alive("the server is being started");
    return;
  }
  if (!asked_) asked_ = channel_.send(Topic::kAreYouThere).has_value();  // once: a server that hangs reads nothing
}

void Parent::told_alive(std::string_view status) {
  asked_ = false;
  if (!stopping_) (void)service_.alive(status);
}

// --- A new binary takes our place. The sockets stay open all the while: who comes now waits in their queues.

void Parent::start_upgrade() {
  if (stopping_ || check_ >= 0) return;
  auto check = start_check(command_, input_.loaded.path);
  if (!check) return say(LogLevel::kError, "upgrade_refused", {{"error", check.error().text}});
  check_ = *check;
}

Parent::Step Parent::new_binary_checked(int status) {
  check_ = -1;
  if (stopping_) return Step::kGoOn;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK) {
    std::string how = fmt::format("{} config check: {}", command_.file, how_it_ended(status));
    say(LogLevel::kError, "upgrade_refused",
        {{"error", how}, {"next", "the version that runs goes on; type that command to see what is wrong"}});
    return Step::kGoOn;
  }
  say(LogLevel::kInfo, "upgrading", {{"file", command_.file}});
  (void)service_.reloading("a new version takes over");
  upgrading_ = true;
  stop_server();
  return server_ < 0 ? upgrade() : Step::kGoOn;
}

Parent::Step Parent::upgrade() {
  std::vector<KeptSocket> kept;
  for (const BoundListener& listener : input_.listeners) {
    for (int fd : listener.descriptors) kept.push_back({fd, listener.handed_as});
  }
  if (input_.control >= 0) kept.push_back({input_.control, "control"});
  std::string error = become_new_binary(command_, kept).text;
  say(LogLevel::kError, "upgrade_refused", {{"error", error}, {"next", "the version that runs goes on"}});
  upgrading_ = stopping_ = false;
  start_again_ = system_clock().steady();
  return Step::kGoOn;
}

// One line, written here: the log's own thread belongs to the server, and this process has none.
void Parent::say(LogLevel level, std::string_view event, LogFields fields) {
  std::string line = style_->line(system_clock().wall(), level, event, fields);
  if (line.empty()) return;
  line += '\n';
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace sidegate::daemon
