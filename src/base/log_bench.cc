// What one line costs the thread that logs it.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include "base/log.h"

namespace sidegate {
namespace {

void story_line(benchmark::State& state) {
  Log log(::open("/dev/null", O_WRONLY | O_CLOEXEC), json_log_style());
  std::int64_t size = 0;
  for (auto _ : state) {
    log.story("delivered", {{"id", "0DPQJXK3G8001"},
                            {"to", "someone@example.net"},
                            {"relay", "isp"},
                            {"size", ++size},
                            {"reply", "250 2.0.0 Ok: queued as 4B7D21F"}});
  }
}
BENCHMARK(story_line);

void hidden_line(benchmark::State& state) {
  for (auto _ : state) null_log().debug("verb", {{"line", "MAIL FROM:<a@b.example>"}});
}
BENCHMARK(hidden_line);

}  // namespace
}  // namespace sidegate
