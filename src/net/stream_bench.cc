// Streams over socket pairs: commands a second in lockstep, octets a second, and what an idle connection holds.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>

#include "net/loop.h"
#include "net/socket_stream.h"
#include "test_certificates.h"

namespace sidegate::net {
namespace {

using namespace std::chrono_literals;

struct Contexts {
  test::TestCa ca;
  test::IssuedCertificate issued = ca.issue({.names = {"mail.example.org"}});
  std::shared_ptr<tls::ServerContext> server = *tls::ServerContext::make({issued.cert_file, issued.key_file});
  std::shared_ptr<tls::ClientContext> client =
      *tls::ClientContext::make({.name = "mail.example.org", .ca_file = ca.ca_file()});
};

using Pair = std::pair<std::unique_ptr<SocketStream>, std::unique_ptr<SocketStream>>;
Pair pair(Loop& loop) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::runtime_error("socketpair");
  Pair made{std::make_unique<SocketStream>(loop, fds[0], AF_UNIX, Peer{.address = "unix"}),
            std::make_unique<SocketStream>(loop, fds[1], AF_UNIX, Peer{.address = "unix"})};
  made.first->expires_after(1h);
  made.second->expires_after(1h);
  return made;
}

// Answers each line with a reply, as a session does.
Awaitable<void> session(Stream& stream, Contexts* contexts) {
  if (contexts != nullptr) co_await stream.start_tls_server(contexts->server);
  for (;;) {
    stream.expires_after(5min);
    auto line = co_await stream.read_line(510, 4096);
    if (!line) break;
    if (line->starts_with("DATA ")) {
      std::size_t left = std::stoul(std::string(line->substr(5)));
      while (left > 0) {
        auto some = co_await stream.read_some();
        if (!some) co_return;
        std::size_t n = std::min(left, some->size());
        stream.consume(n);
        left -= n;
      }
    }
    co_await stream.write("250 2.1.0 Sender ok\r\n");
  }
}

Awaitable<void> commands(Loop& loop, Stream& stream, Contexts* contexts, int count, std::string body) {
  if (contexts != nullptr && !stream.is_tls()) co_await stream.start_tls_client(contexts->client);
  std::string command =
      body.empty() ? "MAIL FROM:<someone@example.org>\r\n" : "DATA " + std::to_string(body.size()) + "\r\n";
  for (int i = 0; i < count; ++i) {
    stream.expires_after(5min);
    co_await stream.write2(command, body);
    auto line = co_await stream.read_line(510, 4096);
    if (!line) throw std::runtime_error(line.error().text);
  }
  loop.stop();
}

void run(Loop& loop, Awaitable<void> work) {
  loop.context().restart();
  loop.spawn("bench", std::move(work));
  loop.run();
}

void dialogue(benchmark::State& state, bool with_tls, std::size_t body) {
  Contexts contexts;
  Contexts* tls = with_tls ? &contexts : nullptr;
  Loop loop(0, system_clock(), null_log());
  auto [a, b] = pair(loop);
  loop.spawn("session", session(*b, tls));
  run(loop, commands(loop, *a, tls, 1, {}));
  std::string text(body, 'x');
  constexpr int kAtOnce = 100;
  for (auto _ : state) run(loop, commands(loop, *a, tls, kAtOnce, text));
  state.SetItemsProcessed(state.iterations() * kAtOnce);
  if (body > 0) state.SetBytesProcessed(state.iterations() * kAtOnce * static_cast<std::int64_t>(body));
}
BENCHMARK_CAPTURE(dialogue, plain_commands, false, 0);
BENCHMARK_CAPTURE(dialogue, tls_commands, true, 0);
BENCHMARK_CAPTURE(dialogue, plain_4k, false, 4096);
BENCHMARK_CAPTURE(dialogue, plain_64k, false, 65536);
BENCHMARK_CAPTURE(dialogue, tls_64k, true, 65536);

// Heap held by an idle connection and its coroutine: half of what a pair holds.
void idle(benchmark::State& state, bool with_tls) {
  constexpr int kPairs = 400;
  Contexts contexts;
  Contexts* tls = with_tls ? &contexts : nullptr;
  for (auto _ : state) {
    Loop loop(0, system_clock(), null_log());
    std::vector<Pair> pairs;
    pairs.reserve(kPairs);
    std::size_t before = mallinfo2().uordblks;
    for (int i = 0; i < kPairs; ++i) {
      pairs.push_back(pair(loop));
      loop.spawn("session", session(*pairs.back().second, tls));
      run(loop, commands(loop, *pairs.back().first, tls, 2, {}));
    }
    std::size_t after = mallinfo2().uordblks;
    state.counters["octets_each"] = static_cast<double>(after - before) / (2 * kPairs);
    state.counters["object"] = sizeof(SocketStream);
  }
}
BENCHMARK_CAPTURE(idle, plain, false)->Iterations(1);
BENCHMARK_CAPTURE(idle, tls, true)->Iterations(1);

}  // namespace
}  // namespace sidegate::net
