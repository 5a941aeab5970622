#include "dns/lookup_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "dns/files_on_disk.h"
#include "dns/lookup.h"
#include "dns/system_files.h"

namespace sidegate::dns {

namespace {

constexpr std::size_t kLookupLimit = 4000;

// The name as it is first: asking for it under the search domains first would tell strangers, and let them answer.
std::vector<std::string> candidates_of(const std::string& name, const ResolvConf& conf) {
  std::vector<std::string> candidates{name};
  auto dots = static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
  if (dots >= conf.ndots) return candidates;
  for (const std::string& domain : conf.search) {
    if (name.size() + 1 + domain.size() <= 253) candidates.push_back(name + '.' + domain);
  }
  return candidates;
}

}  // namespace

struct LookupThread::Body {
  explicit Body(ResolverSettings s) : settings(std::move(s)), wake_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Body() { ::close(wake_fd); }

  struct Waiting {
    std::string name;
    std::optional<RecordType> type;  // absent: addresses
    Duration limit;
    Done done;
    bool fresh = false, validated = false;
  };
  struct Active {
    std::unique_ptr<Lookup> lookup;
    Done done;
  };

  const ResolverSettings settings;
  const int wake_fd;
  std::mutex mutex;  // guards what follows
  std::deque<Waiting> inbox;
  bool started = false, stop = false;
  std::atomic<unsigned> changes{0};
  std::thread thread;

  // The thread's own.
  Servers servers;
  ResolvConf conf;
  FileStamp conf_stamp;
  bool conf_read = false;
  std::vector<Active> active;

  void wake() {
    std::uint64_t one = 1;
    if (::write(wake_fd, &one, sizeof one) < 0) return;  // EAGAIN: it is awake
  }
  void add(Waiting waiting);
  void start_thread();
  void run();
  bool take_inbox(SteadyTime now);
  void read_configuration(SteadyTime now);
  void step_all(SteadyTime now);
  void wait();
  void end_all();
};

void LookupThread::Body::add(Waiting waiting) {
  {
    std::lock_guard lock(mutex);
    if (!started) start_thread();
    inbox.push_back(std::move(waiting));
  }
  wake();
}

void LookupThread::Body::start_thread() {
  // Signals are for the threads that know them; libunbound's own thread inherits this.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "dns");
  started = true;
}

void LookupThread::Body::run() {
  for (;;) {
    SteadyTime now = std::chrono::steady_clock::now();
    if (!take_inbox(now)) break;
    step_all(now);
    wait();
  }
  end_all();
}

// Begins what has come in; false: it is time to stop.
bool LookupThread::Body::take_inbox(SteadyTime now) {
  std::deque<Waiting> taken;
  {
    std::lock_guard lock(mutex);
    if (stop) return false;
    taken.swap(inbox);
  }
  if (!taken.empty()) read_configuration(now);
  for (Waiting& waiting : taken) {
    if (active.size() >= kLookupLimit) {
      waiting.done(Answer{Verdict::kSilent, {}, 0, "too many lookups under way"});
      continue;
    }
    auto lookup = waiting.type
                      ? std::make_unique<Lookup>(waiting.name, *waiting.type, waiting.limit, now, waiting.fresh)
                      : std::make_unique<Lookup>(candidates_of(waiting.name, conf), waiting.limit, now);
    if (waiting.validated) {
      lookup->validate();
      if (!servers.validating && !settings.trust_anchor_text.empty())
        servers.validating = std::make_unique<Unbound>(servers.list, settings.trust_anchor_text);
    }
    lookup->start(servers, now);
    active.push_back({std::move(lookup), std::move(waiting.done)});
  }
  return true;
}

// Looks whether the servers are still those, and makes libunbound's context where there is none.
void LookupThread::Body::read_configuration(SteadyTime now) {
  FileStamp stamp = settings.servers.empty() ? stamp_of(settings.resolv_conf) : FileStamp();
  bool changed = !conf_read || stamp != conf_stamp;
  if (!changed && servers.unbound) return;
  if (changed) {
    conf_read = true;
    conf_stamp = stamp;
    conf = settings.servers.empty() ? parse_resolv_conf(read_file(settings.resolv_conf))
                                    : ResolvConf{settings.servers, {}, 1};
    servers.list = conf.servers;
    servers.poor_until = SteadyTime();
    changes.fetch_add(1);
  }
  for (Active& each : active) each.lookup->drop(servers);
  servers.unbound = std::make_unique<Unbound>(servers.list);
  if (changed && servers.validating)
    servers.validating = std::make_unique<Unbound>(servers.list, settings.trust_anchor_text);
  for (Active& each : active) each.lookup->start(servers, now);
}

void LookupThread::Body::step_all(SteadyTime now) {
  if (servers.unbound) servers.unbound->process();
  if (servers.validating) servers.validating->process();
  bool failed = false;
  std::vector<std::pair<Done, Answer>> finished;
  for (Active& each : active) {
    each.lookup->step(servers, now);
    if (!each.lookup->finished()) continue;
    finished.emplace_back(std::move(each.done), each.lookup->take());
    failed |= !finished.back().second.definite();
    each.lookup.reset();
  }
  std::erase_if(active, [](const Active& each) { return !each.lookup; });
  // libunbound remembers for minutes which servers were dead; a fresh context does not. So once the network is back,
  // the next lookup succeeds.
  if (failed && active.empty()) {
    servers.unbound.reset();
    servers.validating.reset();
  }
  for (auto& [done, answer] : finished) done(std::move(answer));
}

void LookupThread::Body::wait() {
  std::vector<int> fds{wake_fd};
  SteadyTime next = SteadyTime::max();
  for (const auto& context : {servers.unbound.get(), servers.validating.get()}) {
    if (context != nullptr && context->fd() >= 0) fds.push_back(context->fd());
  }
  for (const Active& each : active) {
    each.lookup->append_fds(fds);
    next = std::min(next, each.lookup->next_step());
  }
  std::vector<pollfd> polled;
  for (int fd : fds) polled.push_back({fd, POLLIN, 0});
  int timeout = -1;
  if (next != SteadyTime::max()) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  ::poll(polled.data(), polled.size(), timeout);
  std::uint64_t count;
  if (polled[0].revents != 0 && ::read(wake_fd, &count, sizeof count) < 0) return;
}

void LookupThread::Body::end_all() {
  for (Active& each : active) {
    each.lookup->drop(servers);
    each.done(Answer{Verdict::kSilent, {}, 0, "shutting down"});
  }
  active.clear();
  servers.unbound.reset();
  servers.validating.reset();
  std::lock_guard lock(mutex);
  for (Waiting& waiting : inbox) waiting.done(Answer{Verdict::kSilent, {}, 0, "shutting down"});
  inbox.clear();
}

LookupThread::LookupThread(ResolverSettings settings) : body_(std::make_unique<Body>(std::move(settings))) {}

LookupThread::~LookupThread() {
  {
    std::lock_guard lock(body_->mutex);
    body_->stop = true;
  }
  body_->wake();
  if (body_->thread.joinable()) body_->thread.join();
}

void LookupThread::ask(std::string name, Done done) {
  body_->add({std::move(name), std::nullopt, body_->settings.timeout, std::move(done), false});
}

void LookupThread::ask(std::string name, RecordType type, Duration limit, Done done, bool fresh) {
  body_->add({std::move(name), type, limit, std::move(done), fresh});
}

void LookupThread::ask_validated(std::string name, RecordType type, Duration limit, Done done) {
  body_->add({std::move(name), type, limit, std::move(done), false, true});
}

unsigned LookupThread::changes() const {
  return body_->changes.load();
}

}  // namespace sidegate::dns
