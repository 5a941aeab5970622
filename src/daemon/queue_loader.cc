#include "daemon/queue_loader.h"

namespace sidegate::daemon {
namespace {

constexpr std::size_t kPage = 4096;

}  // namespace

QueueLoader::QueueLoader(queue::Store& store, queue::Scheduler& scheduler, Log& log, Clock& clock, unsigned loops)
    : store_(store), scheduler_(scheduler), log_(log), clock_(clock), loops_(loops) {}

QueueLoader::~QueueLoader() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void QueueLoader::start() {
  thread_ = std::thread(&QueueLoader::run, this);
}

void QueueLoader::run() {
  SteadyTime began = clock_.steady();
  std::uint64_t rows = 0;
  for (unsigned page_number = 0; !stop_; ++page_number) {
    Result<queue::ClaimPage> page = store_.claim(kPage, WallTime::max());
    if (!page) {
      // The store is reopening or broken; it says so itself. What is on disk stays there, and is tried again.
      log_.error("queue_load_failed", {{"error", page.error().text}});
      for (int i = 0; i < 10 && !stop_; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    rows += page->rows.size();
    scheduler_.add(page->rows, page_number % loops_);
    if (page->end) break;
  }
  auto took = std::chrono::duration_cast<Duration>(clock_.steady() - began);
  log_.info("queue_loaded", {{"rows", rows}, {"milliseconds", took.count()}});
  finished_ = true;
}

}  // namespace sidegate::daemon
