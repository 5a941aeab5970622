// The cost of a command's grammar, without I/O.
#include <benchmark/benchmark.h>

#include "smtp/command.h"

namespace sidegate::smtp {
namespace {

void split(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(split_command("RCPT TO:<someone@example.org>"));
}
BENCHMARK(split);

void mail(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_mail("FROM:<someone@example.org>"));
}
BENCHMARK(mail);

void mail_with_parameters(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_mail("FROM:<someone@example.org> SIZE=4096 BODY=8BITMIME RET=HDRS ENVID=a1b2c3"));
  }
}
BENCHMARK(mail_with_parameters);

void rcpt(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_rcpt("TO:<someone@example.org>", false));
}
BENCHMARK(rcpt);

void rcpt_with_parameters(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        parse_rcpt("TO:<someone@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;someone@example.org", false));
  }
}
BENCHMARK(rcpt_with_parameters);

}  // namespace
}  // namespace sidegate::smtp
