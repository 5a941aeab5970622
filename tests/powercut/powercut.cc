// See README.md.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "child.h"
#include "device.h"
#include "messages.h"
#include "queue/rocksdb_store.h"

namespace sidegate::tests {
namespace {

constexpr int kSkipped = 77;

struct Counts {
  std::uint64_t rounds = 0, accepted = 0, refused = 0, ended = 0;
  std::uint64_t lost = 0, damaged = 0, refused_there = 0, returned = 0;
  bool good(bool cuts) const {
    return lost == 0 && damaged == 0 && refused_there == 0 && (cuts || returned == 0) && accepted > 0;
  }
};

class Harness {
 public:
  Harness(std::string path, Device* device, std::uint64_t seed, bool sync)
      : path_(std::move(path)), device_(device), random_(seed), sync_(sync) {}

  // One life of the store. False: something other than a loss went wrong.
  bool round() {
    ++counts.rounds;
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) return false;
    ::fcntl(pipe[1], F_SETFD, 0);
    pid_t child = start_child(pipe[1]);
    ::close(pipe[1]);
    read_until_killed(child, pipe[0]);
    ::close(pipe[0]);
    if (device_) {
      if (auto restored = device_->restore(); !restored) return complain(restored.error());
    }
    return check();
  }
  Counts counts;

 private:
  static bool complain(const Error& error) {
    fmt::print(stderr, "powercut: {}\n", error.text);
    return false;
  }

  pid_t start_child(int fd) {
    const std::string first = std::to_string(next_), number = std::to_string(fd);
    pid_t child = ::fork();
    if (child != 0) return child;
    ::execl("/proc/self/exe", "powercut", "--child", path_.c_str(), first.c_str(), number.c_str(),
            sync_ ? "sync" : "nosync", nullptr);
    ::_exit(127);
  }

  void take(const std::string& bytes) {
    for (std::size_t at = 0; at + kRecord <= bytes.size(); at += kRecord) {
      std::uint64_t n;
      std::memcpy(&n, &bytes[at + 1], 8);
      next_ = std::max(next_, n + 1);
      switch (bytes[at]) {
        case 'A':
          ++counts.accepted;
          accepted_.insert(n);
          break;
        case 'R':
          ++counts.refused;
          refused_.insert(n);
          break;
        case 'F':
          ending_.insert(n);
          break;
        case 'E':
          ++counts.ended;
          ended_.insert(n);
          break;
      }
    }
  }

  // Waits for the first answer (so that there is something to lose), then a random while; then the end comes. Power
  // takes processes and disk at once: the child is stopped, what it has said is read, the power is cut. (An answer
  // given after the cut would prove nothing: fsync may say yes on an ext4 that is being shut down.)
  void read_until_killed(pid_t child, int fd) {
    using Time = std::chrono::steady_clock;
    const auto latest = Time::now() + std::chrono::seconds(30);
    std::string bytes;
    bool open = read_some(fd, bytes, 30'000);
    random_ = mix(random_);
    const auto end = std::min(latest, Time::now() + std::chrono::milliseconds(random_ % 400));
    while (open && Time::now() < end) open = read_some(fd, bytes, 1);
    if (device_) {
      ::kill(child, SIGSTOP);
      ::waitpid(child, nullptr, WUNTRACED);
      while (open && has_input(fd, 0)) open = read_some(fd, bytes, 0);
      if (auto cut = device_->cut(); !cut) complain(cut.error());
    }
    ::kill(child, SIGKILL);
    while (open) open = read_some(fd, bytes, 1000);
    ::waitpid(child, nullptr, 0);
    take(bytes);
  }

  static bool has_input(int fd, int milliseconds) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) > 0;
  }

  static bool read_some(int fd, std::string& bytes, int milliseconds) {  // false at the end
    if (!has_input(fd, milliseconds)) return true;
    char buffer[kRecord * 400];
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) bytes.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  bool check() {
    queue::StoreSettings settings;
    settings.path = path_;
    settings.ballast = 0;
    settings.min_free_space = 0;
    auto store = queue::open_rocksdb_store(settings, system_clock(), null_log());
    if (!store) {
      counts.lost += accepted_.size();
      accepted_.clear();
      return complain(store.error());
    }
    // Numbers that the child began without telling: whole or absent.
    next_ += 200;
    for (std::uint64_t n = checked_; n < next_; ++n) check_one(**store, n);
    for (std::uint64_t n : std::set<std::uint64_t>(accepted_)) {
      if (n < checked_) check_one(**store, n);
    }
    checked_ = next_;
    return check_due(**store);
  }

  void check_one(queue::Store& store, std::uint64_t n) {
    char there = look(store, n);
    if (there == 'D') ++counts.damaged;
    if (refused_.contains(n) || is_refused(n)) {
      if (there != 'A') ++counts.refused_there;
      return;
    }
    if (!accepted_.contains(n)) return;
    if (there == 'A' && !ending_.contains(n)) ++counts.lost;
    if (there == 'W' && ended_.contains(n)) ++counts.returned;
    if (there == 'A') accepted_.erase(n);
  }

  // Every due row has its message, and every message is due.
  bool check_due(queue::Store& store) {
    std::set<QueueId> due;
    for (int i = 0; i < 100'000; ++i) {
      auto page = store.claim(1000, {});
      if (!page) return complain(page.error());
      for (const auto& row : page->rows) due.insert(row.id);
      if (page->end) break;
    }
    std::size_t messages = 0;
    QueueId after;
    for (int i = 0; i < 100'000; ++i) {
      auto page = store.find({}, after, 500);
      if (!page) return complain(page.error());
      if (page->empty()) break;
      for (const auto& row : *page) {
        after = row.message.id;
        ++messages;
        if (!due.contains(after)) ++counts.damaged;
      }
    }
    if (messages != due.size()) ++counts.damaged;
    return true;
  }

  std::string path_;
  Device* device_;
  std::uint64_t random_;
  bool sync_;
  std::uint64_t next_ = 1, checked_ = 1;
  std::set<std::uint64_t> accepted_, refused_, ending_, ended_;
};

void print(const char* what, const Counts& c, std::uint64_t seed) {
  fmt::print(
      "{}: rounds {} accepted {} refused {} ended {} | lost {} damaged {} refused-but-there {} ended-but-there {} | "
      "seed {}\n",
      what, c.rounds, c.accepted, c.refused, c.ended, c.lost, c.damaged, c.refused_there, c.returned, seed);
  std::fflush(stdout);
}

struct Directory {
  std::string path;
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sidegate-powercut-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

int kills(std::uint64_t n, std::uint64_t seed) {
  Directory directory;
  Harness harness(directory.path + "/queue", nullptr, seed, true);
  bool ok = true;
  for (std::uint64_t i = 0; i < n && ok; ++i) ok = harness.round();
  print("kills", harness.counts, seed);
  return ok && harness.counts.good(false) ? 0 : 1;
}

int cuts(std::uint64_t n, std::uint64_t seed) {
  Directory directory;
  auto device = Device::make(directory.path);
  if (!device) {
    fmt::print("skipped: {}\n", device.error().text);
    return kSkipped;
  }
  bool ok = true;
  {
    Harness harness((*device)->path() + "/queue", device->get(), seed, true);
    for (std::uint64_t i = 0; i < n && ok; ++i) ok = harness.round();
    print("power cuts", harness.counts, seed);
    ok = ok && harness.counts.good(true);
  }
  // The harness must be able to fail: without syncing something is lost.
  Harness control((*device)->path() + "/unsynced", device->get(), seed, false);
  for (int i = 0; i < 3 && control.counts.lost == 0; ++i) (void)control.round();
  print("negative control (sync off)", control.counts, seed);
  if (control.counts.lost == 0) {
    fmt::print("the negative control lost nothing: these cuts prove nothing\n");
    ok = false;
  }
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace sidegate::tests

int main(int argc, char** argv) {
  using namespace sidegate::tests;
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 5 && args[0] == "--child") {
    return run_child(args[1], std::stoull(args[2]), std::stoi(args[3]), args[4] == "sync");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::uint64_t n_kills = 0, n_cuts = 0, seed = static_cast<std::uint64_t>(::getpid());
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    if (args[i] == "--kills") n_kills = std::stoull(args[i + 1]);
    if (args[i] == "--cuts") n_cuts = std::stoull(args[i + 1]);
    if (args[i] == "--seed") seed = std::stoull(args[i + 1]);
  }
  if (n_kills + n_cuts == 0) {
    fmt::print("usage: powercut --kills N | --cuts N [--seed S]\n");
    return 2;
  }
  int result = n_kills ? kills(n_kills, seed) : 0;
  if (n_cuts && result == 0) result = cuts(n_cuts, seed);
  return result;
}
