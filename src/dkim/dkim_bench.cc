// What signing costs: the body's hash while a message comes in, and a signature as it leaves.
#include <benchmark/benchmark.h>

#include "dkim/signer.h"

namespace sidegate::dkim {
namespace {

std::string body(std::size_t octets) {
  std::string text;
  while (text.size() < octets) text += "The quick brown fox  jumps over the lazy dog, again and again, every day.\r\n";
  return text;
}

void hash(benchmark::State& state, bool simple, bool relaxed) {
  const std::string text = body(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    BodyHasher hasher(simple, relaxed);
    hasher.push(text);
    hasher.finish();
    benchmark::DoNotOptimize(hasher.relaxed());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(hash, relaxed, false, true)->Arg(4096)->Arg(1 << 20);
BENCHMARK_CAPTURE(hash, simple, true, false)->Arg(4096)->Arg(1 << 20);
BENCHMARK_CAPTURE(hash, both, true, true)->Arg(4096);

void sign(benchmark::State& state, Algorithm algorithm) {
  Signer signer;
  signer.domain = "example.org";
  signer.selector = "s1";
  signer.key = std::make_shared<const Key>(Key::generate(algorithm).value());
  const std::string header =
      "Received: from a by b; now\r\nFrom: Ann <ann@example.org>\r\nTo: b@example.net\r\nSubject: hello\r\nDate: "
      "now\r\n";
  for (auto _ : state) benchmark::DoNotOptimize(signature_field(signer, header, {}, WallTime()));
}
BENCHMARK_CAPTURE(sign, rsa2048, Algorithm::kRsa);
BENCHMARK_CAPTURE(sign, ed25519, Algorithm::kEd25519);

}  // namespace
}  // namespace sidegate::dkim
