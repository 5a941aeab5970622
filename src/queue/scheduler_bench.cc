// What the scheduler costs a message, at depth 0 and with a million waiting: add, wake, lease, finish.
#include <benchmark/benchmark.h>

#include "queue/scheduler.h"

namespace sidegate::queue {
namespace {

DueRow row(Clock& clock, std::uint64_t id, ClassId cls, Duration in) {
  return {.id = QueueId{id},
          .class_id = cls,
          .due = clock.wall() + in,
          .attempts = 0,
          .priority = 0,
          .held = false,
          .epoch = 0};
}

void message_through(benchmark::State& state) {
  Scheduler scheduler({}, system_clock(), 2);
  std::uint64_t woken = 0;
  scheduler.set_wake([&](unsigned, WayId) { ++woken; });
  scheduler.set_ways({{"relay", 10}}, [](const ClassKey&) { return Route{0}; });
  const ClassId cls =
      scheduler.intern({.recipient_domain = "example.org", .sender_key = "s", .user = "", .listener = ""}, nullptr);
  std::uint64_t id = 1;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const DueRow one = row(system_clock(), id++ << 8, cls, std::chrono::hours(1) + Duration(i * 7919 % 3'600'000));
    scheduler.add({&one, 1}, 0);
  }
  for (auto _ : state) {
    const DueRow one = row(system_clock(), id++ << 8, cls, Duration::zero());
    scheduler.add({&one, 1}, 0);
    auto lease = scheduler.lease(0);
    const ClassResult end{.class_id = cls};
    scheduler.finish(*lease, {&end, 1}, 0);
  }
  state.counters["wakes"] = static_cast<double>(woken);
}
BENCHMARK(message_through)->Arg(0)->Arg(1'000'000);

void backlog(benchmark::State& state) {  // a million ready messages are leased and end
  for (auto _ : state) {
    state.PauseTiming();
    Scheduler scheduler({}, system_clock(), 2);
    scheduler.set_ways({{"relay", 10}}, [](const ClassKey&) { return Route{0}; });
    const ClassId cls =
        scheduler.intern({.recipient_domain = "example.org", .sender_key = "s", .user = "", .listener = ""}, nullptr);
    std::vector<DueRow> rows;
    for (std::int64_t i = 1; i <= state.range(0); ++i)
      rows.push_back(row(system_clock(), static_cast<std::uint64_t>(i) << 8, cls, Duration::zero()));
    state.ResumeTiming();
    scheduler.add(rows, 0);
    while (auto lease = scheduler.lease(0)) {
      const ClassResult end{.class_id = cls};
      scheduler.finish(*lease, {&end, 1}, 0);
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(backlog)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sidegate::queue
