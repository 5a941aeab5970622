// For the room's own tests: what an Intake needs, with a store in memory; and a client that speaks to it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "alias/fake_sources.h"
#include "intake/fake_store.h"
#include "intake/intake.h"
#include "intake/recipients.h"
#include "net/run_script.h"
#include "smtp/server_session.h"

namespace sidegate::intake {

// What is logged, a line an event: "accepted id=... from=...".
class CapturedLog {
 public:
  Log& log() { return log_; }
  std::vector<std::string> lines(std::string_view event) {
    log_.flush();
    std::ifstream in("/proc/self/fd/" + std::to_string(file_.fd));
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) {
      if (line.find(std::string(event) + " ") != std::string::npos) out.push_back(line);
    }
    return out;
  }

 private:
  struct File {
    int fd = ::memfd_create("log", MFD_CLOEXEC);
    ~File() { ::close(fd); }
  } file_;
  Log log_{file_.fd, plain_log_style(), LogLevel::kDebug};
};

// One listener on loopback.
struct House {
  ManualClock clock;
  FakeStore store;
  queue::ScheduleSettings schedule;
  queue::Scheduler scheduler{schedule, clock, 1};
  QueueIdSource ids{clock};
  IntakeContext context;
  ListenerSettings settings;
  net::Peer peer{.address = "127.0.0.1", .port = 1025, .loopback = true};
  std::optional<LocalUser> user;

  explicit House(const std::string& hostname, Log& log = null_log()) : context{store, scheduler, ids, clock, log} {
    settings.name = "local";
    settings.address = "127.0.0.1";
    settings.smtp.hostname = hostname;
  }
  // Plays what the client says (all in one go) and gives what we wrote. As Service does: the session, then its end.
  std::string play(net::ScriptStream& stream, const std::string& client) {
    auto policy = ListenerPolicy::make(settings).value();
    stream.from(peer).peer_sends(client);
    Intake intake(context, policy, 0, user);
    std::shared_ptr<const smtp::ServerSettings> smtp(policy, &policy->settings.smtp);
    smtp::ServerSession session(stream, intake, smtp, settings.name);
    net::run_script(session.run());
    net::run_script(intake.ended());
    return stream.written();
  }
  std::string play(const std::string& client) {
    net::ScriptStream stream;
    return play(stream, client);
  }
};

// With users, aliases and a virtual map of gate.test, in a folder of its own.
struct LocalHouse : House {
  std::string folder;
  AliasFiles files{null_log()};
  alias::FakeSources sources;
  net::WorkerPool workers{1};
  Recipients recipients{workers, files, sources, null_log()};

  LocalHouse(const std::string& hostname, const std::string& aliases, const std::string& virtuals = "",
             Log& log = null_log())
      : House(hostname, log) {
    std::string name = (std::filesystem::temp_directory_path() / "sidegate-intake-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    write_aliases(aliases);
    std::ofstream(folder + "/virtual") << virtuals;
    sources.users = {"root", "bob"};
    alias::Settings local;
    local.local_domains = {"gate.test"};
    local.hostname = "gate.test";
    local.alias_files = {folder + "/aliases"};
    local.virtual_files = {folder + "/virtual"};
    files.set_settings(local);
    context.recipients = &recipients;
  }
  ~LocalHouse() { std::filesystem::remove_all(folder); }

  void write_aliases(const std::string& text) { std::ofstream(folder + "/aliases") << text; }
};

}  // namespace sidegate::intake
