// The commit path: accept 4 KB and end it, by so many callers at once; CPU of the whole process a message.
//   ./commit_bench --benchmark_filter=synced
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>

#include "queue/rocksdb_store.h"

namespace sidegate::queue {
namespace {

double cpu_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_megabytes() {
  long pages = 0, resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * 4096 / 1e6;
}

class Bench {
 public:
  explicit Bench(bool sync) {
    std::string pattern = "/tmp/sidegate-bench-XXXXXX";
    if (const char* where = ::getenv("TMPDIR")) pattern = std::string(where) + "/sidegate-bench-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    StoreSettings settings;
    settings.path = directory_ + "/queue";
    settings.ballast = 0;
    settings.sync = sync;
    auto store = open_rocksdb_store(settings, system_clock(), null_log());
    if (!store) std::abort();
    store_ = std::move(*store);
  }
  ~Bench() {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  // One message through accept and its end; `callers` are under way at any time.
  void run(std::uint64_t messages, unsigned callers) {
    messages_ = messages;
    under_way_ = 0;
    started_ = ended_ = 0;
    for (unsigned i = 0; i < callers; ++i) next();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return ended_ == messages_; });
  }

 private:
  void next() {  // on the bench's or the commit thread
    std::uint64_t n;
    {
      std::lock_guard lock(mutex_);
      if (started_ == messages_) return;
      ++started_;
      n = ++id_;
    }
    Accept accept;
    auto message = std::make_shared<Message>();
    message->id = QueueId{(1'700'000'000'000ull << 22) + n};
    message->envelope.reverse_path = "sender@example.org";
    message->envelope.recipients.push_back({"user@example.com", {}, ""});
    message->classes = {1};
    accept.header = std::string(600, 'h');
    accept.body = std::string(4096, 'b');
    message->header_size = 600;
    message->body_size = 4096;
    const QueueId id = message->id;
    accept.due.emplace_back().id = id;
    accept.due.back().class_id = 1;
    accept.message = std::move(message);
    store_->commit(std::move(accept), [this, id](Status status) {
      if (!status) std::abort();
      Outcome outcome;
      outcome.id = id;
      outcome.finished = true;
      store_->commit(std::move(outcome), [this](Status status) {
        if (!status) std::abort();
        next();
        std::lock_guard lock(mutex_);
        if (++ended_ == messages_) done_.notify_one();
      });
    });
  }

  std::string directory_;
  std::unique_ptr<Store> store_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::uint64_t messages_ = 0, started_ = 0, ended_ = 0, id_ = 0;
  unsigned under_way_ = 0;
};

void accept_and_finish(benchmark::State& state, bool sync) {
  const double before = resident_megabytes();
  Bench bench(sync);
  const double opened = resident_megabytes() - before;
  constexpr std::uint64_t kMessages = 2000;
  const double cpu = cpu_seconds();
  for (auto _ : state) bench.run(kMessages, static_cast<unsigned>(state.range(0)));
  const auto messages = static_cast<double>(state.iterations() * kMessages);
  state.SetItemsProcessed(static_cast<std::int64_t>(messages));
  state.counters["cpu_us_a_message"] = (cpu_seconds() - cpu) * 1e6 / messages;
  state.counters["rss_open_MB"] = opened;
}

// Opening what is there: a stop and a start with an empty queue, and with so many thousand messages in it.
void reopen(benchmark::State& state) {
  std::string pattern = "/tmp/sidegate-bench-XXXXXX";
  const std::string directory = ::mkdtemp(pattern.data());
  StoreSettings settings;
  settings.path = directory + "/queue";
  settings.ballast = 0;
  auto store = open_rocksdb_store(settings, system_clock(), null_log());
  if (!store) std::abort();
  std::atomic<std::int64_t> left = state.range(0) * 1000;
  for (std::uint64_t n = 1; n <= static_cast<std::uint64_t>(state.range(0)) * 1000; ++n) {
    Accept accept;
    auto message = std::make_shared<Message>();
    message->id = QueueId{(1'700'000'000'000ull << 22) + n};
    message->classes = {1};
    accept.header = std::string(600, 'h');
    accept.body = std::string(4096, 'b');
    accept.due.emplace_back().id = message->id;
    accept.due.back().class_id = 1;
    accept.message = std::move(message);
    (*store)->commit(std::move(accept), [&left](Status) { --left; });
  }
  while (left > 0) ::usleep(1000);
  for (auto _ : state) {
    state.PauseTiming();
    store->reset();
    state.ResumeTiming();
    store = open_rocksdb_store(settings, system_clock(), null_log());
    if (!store) std::abort();
  }
  state.counters["rss_MB"] = resident_megabytes();
  store->reset();
  std::filesystem::remove_all(directory);
}
BENCHMARK(reopen)->Arg(0)->Arg(10)->Arg(100)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);

BENCHMARK_CAPTURE(accept_and_finish, synced, true)
    ->Arg(1)
    ->Arg(16)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(accept_and_finish, unsynced, false)
    ->Arg(1)
    ->Arg(16)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sidegate::queue
