#include "daemon/queue_loader.h"

#include <algorithm>

#include "queue/arrivals.h"

namespace sidegate::daemon {
namespace {

constexpr std::size_t kPage = 4096;

}  // namespace

QueueLoader::QueueLoader(queue::Store& store, queue::Scheduler& scheduler, queue::PoisonFile* poison, Log& log,
                         Clock& clock, unsigned loops)
    : store_(store),
      scheduler_(scheduler),
      log_(log),
      clock_(clock),
      loops_(loops),
      suspects_(poison, store, scheduler, log, clock),
      sweep_(store, scheduler, log, clock) {}

QueueLoader::~QueueLoader() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void QueueLoader::start() {
  // Ids are given by the clock: the highest in the store lies ahead only where the clock was set back since. (What is
  // accepted meanwhile lies ahead of it too, so this is asked first.)
  Duration ahead = store_.highest_id().time() - clock_.wall();
  if (ahead >= queue::kLeastJump) {
    clock_went_back_ = ahead;
    log_.warning("clock_jumped", {{"seconds", -ahead.count() / 1000}, {"since", "the last run"}});
  }
  thread_ = std::thread(&QueueLoader::run, this);
}

bool QueueLoader::pause(Duration for_how_long) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, for_how_long, [this] { return stop_; });
}

void QueueLoader::run() {
  suspects_.begin();
  load();
  for (;;) {
    Duration suspects = suspects_.step(), sweep = sweep_.step();
    if (suspects == Duration(0) && sweep == Duration(0)) return;
    Duration next = suspects == Duration(0) ? sweep : sweep == Duration(0) ? suspects : std::min(suspects, sweep);
    if (!pause(next)) return;
  }
}

// Due times written by a clock that was ahead would stall what waits.
void QueueLoader::put_right(std::vector<queue::DueRow>& rows) const {
  std::erase_if(rows, [this](const queue::DueRow& row) { return suspects_.has(row.id); });
  if (clock_went_back_ == Duration(0)) return;
  for (queue::DueRow& row : rows) row.due -= clock_went_back_;
}

void QueueLoader::load() {
  SteadyTime began = clock_.steady();
  std::uint64_t rows = 0;
  for (unsigned page_number = 0; pause(Duration(0)); ++page_number) {
    Result<queue::ClaimPage> page = store_.claim(kPage, WallTime::max());
    if (!page) {
      // The store is reopening or broken; it says so itself. What is on disk stays there, and is tried again.
      log_.error("queue_load_failed", {{"error", page.error().text}});
      pause(Duration(1000));
      continue;
    }
    rows += page->rows.size();
    put_right(page->rows);
    scheduler_.add(page->rows, page_number % loops_);
    if (page->end) break;
  }
  auto took = std::chrono::duration_cast<Duration>(clock_.steady() - began);
  log_.info("queue_loaded", {{"rows", rows}, {"milliseconds", took.count()}});
  finished_ = true;
}

}  // namespace sidegate::daemon
