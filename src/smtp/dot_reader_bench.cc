// Octets of content a second, faults looked for, dots removed: a message of lines of 76 (base64), one where every line
// begins with a dot, and one with lines as long as they may be.
#include <benchmark/benchmark.h>

#include <string>

#include "smtp/dot_reader.h"

namespace sidegate::smtp {
namespace {

std::string message(const std::string& line, std::size_t size) {
  std::string text;
  while (text.size() < size) text += line + "\r\n";
  return text + ".\r\n";
}

void read_all(benchmark::State& state, const std::string& input) {
  constexpr std::size_t kPiece = 64 * 1024;  // what a read brings
  for (auto _ : state) {
    DotReader reader(65536);
    std::size_t octets = 0;
    for (std::size_t at = 0; at < input.size(); at += kPiece) {
      std::string_view rest = std::string_view(input).substr(at, kPiece);
      while (!rest.empty() && !reader.done()) {
        auto step = reader.next(rest);
        octets += step.content.size();
        rest.remove_prefix(step.consumed);
      }
    }
    benchmark::DoNotOptimize(octets);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * input.size()));
}

void lines_of_76(benchmark::State& state) {
  read_all(state, message(std::string(76, 'x'), state.range(0)));
}
BENCHMARK(lines_of_76)->Arg(4096)->Arg(65536)->Arg(8 << 20);

void lines_of_998(benchmark::State& state) {
  read_all(state, message(std::string(998, 'x'), state.range(0)));
}
BENCHMARK(lines_of_998)->Arg(65536)->Arg(8 << 20);

void every_line_stuffed(benchmark::State& state) {
  read_all(state, message(".." + std::string(74, 'x'), state.range(0)));
}
BENCHMARK(every_line_stuffed)->Arg(65536)->Arg(8 << 20);

}  // namespace
}  // namespace sidegate::smtp
