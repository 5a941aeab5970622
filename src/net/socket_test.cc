#include "net/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "net/socket_stream.h"
#include "net/test_pair.h"

namespace sidegate::net::socket_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::vector<int> listen_on(const Endpoint& at, unsigned count = 1, int backlog = 4096) {
  auto bound = bind_listener(at, count, backlog);
  EXPECT_TRUE(bound) << bound.error().text;
  return bound ? *bound : std::vector<int>{};
}

void close_all(const std::vector<int>& fds) {
  for (int fd : fds) ::close(fd);
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

bool has_ipv6() {
  auto bound = bind_listener({"::1", 0}, 1);
  if (bound) close_all(*bound);
  return bound.has_value();
}

struct Directory {
  Directory() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path = (std::filesystem::temp_directory_path() / "sidegate-net-XXXXXX").string();
};

// What connect() came to, in words.
Awaitable<void> try_connect(Loop& loop, Endpoint to, Duration timeout, std::string source, std::unique_ptr<Stream>* out,
                            Error* error) {
  auto made = co_await connect(loop, to, timeout, source);
  if (made) {
    *out = std::move(*made);
  } else {
    *error = made.error();
  }
}

struct Attempt {
  std::unique_ptr<Stream> stream;
  Error error{ErrorKind::kInternal, "(none)"};
};
Attempt attempt(Bench& bench, const Endpoint& to, Duration timeout = 20s, const std::string& source = {}) {
  Attempt made;
  bench.run(try_connect(bench.loop, to, timeout, source, &made.stream, &made.error));
  return made;
}

TEST(Endpoint, ShowsItself) {
  EXPECT_EQ((Endpoint{"192.0.2.1", 587}.text()), "192.0.2.1:587");
  EXPECT_EQ((Endpoint{"2001:db8::1", 25}.text()), "[2001:db8::1]:25");
  EXPECT_EQ((Endpoint{"/run/x", 0}.text()), "/run/x");
}

TEST(BindListener, SharesOneEphemeralPort) {
  auto fds = listen_on({"127.0.0.1", 0}, 3);
  ASSERT_EQ(fds.size(), 3u);
  EXPECT_NE(bound_port(fds[0]), 0u);
  for (int fd : fds) {
    EXPECT_EQ(bound_port(fd), bound_port(fds[0]));
    EXPECT_EQ(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    EXPECT_NE(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  close_all(fds);
}

TEST(BindListener, SaysWhatToDo) {
  auto taken = listen_on({"127.0.0.1", 0});
  struct Case {
    Endpoint at;
    ErrorKind kind;
    std::string text;
  };
  const std::vector<Case> cases = {
      {{"127.0.0.1", bound_port(taken[0])},
       ErrorKind::kConflict,
       "another program listens there: `ss -ltnp 'sport = :"},
      {{"0.0.0.0", bound_port(taken[0])}, ErrorKind::kConflict, "cannot listen on 0.0.0.0:"},
      {{"203.0.113.77", 2525}, ErrorKind::kUnreachable, "cannot listen on 203.0.113.77:2525: "},
      {{"203.0.113.77", 2525}, ErrorKind::kUnreachable, "`ip address`"},
      {{"localhost", 2525}, ErrorKind::kBadInput, "cannot listen on localhost:2525: not a numeric address"},
      {{"127.0.0.1", 70000}, ErrorKind::kBadInput, "127.0.0.1:70000"},
  };
  for (const auto& c : cases) {
    auto bound = bind_listener(c.at, 2);
    ASSERT_FALSE(bound) << c.at.text();
    EXPECT_EQ(bound.error().kind, c.kind) << bound.error().text;
    EXPECT_THAT(bound.error().text, HasSubstr(c.text));
  }
  close_all(taken);
}

TEST(BindListener, KeepsTheFamiliesApart) {
  if (!has_ipv6()) GTEST_SKIP() << "skipped: no IPv6 here";
  auto six = listen_on({"::", 0});
  auto four = listen_on({"0.0.0.0", bound_port(six[0])});
  EXPECT_EQ(option(six[0], IPPROTO_IPV6, IPV6_V6ONLY), 1);
  close_all(six);
  close_all(four);
}

TEST(BindUnixListener, SetsTheModeAndReplacesWhatACrashLeft) {
  Directory directory;
  std::string path = directory.path + "/socket";
  auto first = bind_unix_listener(path, 0660);
  ASSERT_TRUE(first) << first.error().text;
  struct stat there{};
  ASSERT_EQ(::stat(path.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 0777, 0660u);
  auto second = bind_unix_listener(path, 0660);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  ::close(*first);
  auto third = bind_unix_listener(path, 0666);
  ASSERT_TRUE(third) << third.error().text;
  ::stat(path.c_str(), &there);
  EXPECT_EQ(there.st_mode & 0777, 0666u);
  ::close(*third);

  std::string file = directory.path + "/file";
  ::close(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(bind_unix_listener(file, 0600).error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(bind_unix_listener("/" + std::string(200, 'x'), 0600).error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(bind_unix_listener("relative", 0600).error().kind, ErrorKind::kBadInput);
}

TEST(Connect, TellsFailuresApart) {
  Bench bench;
  auto fds = listen_on({"127.0.0.1", 0});
  unsigned closed_port = bound_port(fds[0]);
  close_all(fds);
  struct Case {
    Endpoint to;
    std::string source;
    ErrorKind kind;
    std::string text;
  };
  const std::vector<Case> cases = {
      {{"127.0.0.1", closed_port}, "", ErrorKind::kRefused, "Connection refused"},
      {{"192.0.2.1", 25}, "127.0.0.1", ErrorKind::kUnreachable, ""},  // from loopback there is no way out
      {{"127.0.0.1", closed_port}, "203.0.113.77", ErrorKind::kBadInput, "from 203.0.113.77: this machine has no such"},
      {{"127.0.0.1", closed_port}, "::1", ErrorKind::kUnreachable, "another address family"},
      {{"mail.example.org", 25}, "", ErrorKind::kBadInput, "not a numeric address"},
      {{"/nowhere/socket", 0}, "", ErrorKind::kNotFound, "/nowhere/socket"},
  };
  for (const auto& c : cases) {
    Attempt made = attempt(bench, c.to, 5s, c.source);
    ASSERT_FALSE(made.stream) << c.to.text();
    EXPECT_THAT(made.error.text, HasSubstr("cannot connect to " + c.to.text()));
    EXPECT_THAT(made.error.text, HasSubstr(c.text));
    EXPECT_EQ(made.error.kind, c.kind) << made.error.text;
  }
}

TEST(Connect, DoesNotWaitForeverOnADeadPath) {
  Bench bench;
  auto fds = listen_on({"127.0.0.1", 0});
  Attempt made = attempt(bench, {"127.0.0.1", bound_port(fds[0])});
  ASSERT_TRUE(made.stream) << made.error.text;
  EXPECT_EQ(option(dynamic_cast<SocketStream&>(*made.stream).fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 60'000);
  close_all(fds);
}

// A full backlog answers no more SYNs: the attempt hangs until its deadline.
TEST(Connect, EndsAtItsDeadline) {
  Bench bench;
  auto fds = listen_on({"127.0.0.1", 0}, 1, 0);
  Endpoint to{"127.0.0.1", bound_port(fds[0])};
  std::vector<std::unique_ptr<Stream>> filling;
  for (int i = 0; i < 8; ++i) {
    Attempt made = attempt(bench, to, 300ms);
    if (!made.stream) {
      EXPECT_EQ(made.error.kind, ErrorKind::kTimeout) << made.error.text;
      EXPECT_THAT(made.error.text, HasSubstr("timed out"));
      close_all(fds);
      return;
    }
    filling.push_back(std::move(made.stream));
  }
  close_all(fds);
  FAIL() << "the backlog never filled";
}

Awaitable<void> greet(std::unique_ptr<Stream> stream) {
  std::string hello = "220 " + stream->peer().address + (stream->peer().loopback ? " loopback\r\n" : "\r\n");
  co_await stream->write(hello);
  co_await stream->read_line(512, 4096);
}

Awaitable<void> read_greeting(Stream* stream, std::string* out) {
  auto line = co_await stream->read_line(512, 4096);
  *out = line ? std::string(*line) : line.error().text;
}

TEST(Acceptor, AcceptsOnBothFamilies) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    if (address[0] == ':' && !has_ipv6()) continue;
    Bench bench;
    auto fds = listen_on({address, 0});
    Endpoint to{address, bound_port(fds[0])};
    Acceptor acceptor(bench.loop, fds[0], [&](std::unique_ptr<Stream> stream) {
      EXPECT_FALSE(stream->peer().is_unix);
      EXPECT_NE(stream->peer().port, 0u);
      EXPECT_NE(option(static_cast<SocketStream&>(*stream).fd(), IPPROTO_TCP, TCP_NODELAY), 0);
      stream->expires_after(20s);
      bench.loop.spawn("greet", greet(std::move(stream)));
    });
    acceptor.start();
    Attempt made = attempt(bench, to, 20s, address);
    ASSERT_TRUE(made.stream) << made.error.text;
    EXPECT_EQ(made.stream->peer().port, to.port);
    EXPECT_TRUE(made.stream->peer().loopback);
    std::string greeting;
    bench.run(read_greeting(made.stream.get(), &greeting));
    EXPECT_EQ(greeting, "220 " + std::string(address) + " loopback");
  }
}

TEST(Acceptor, KnowsTheUserOfAUnixPeer) {
  Directory directory;
  Bench bench;
  auto fd = bind_unix_listener(directory.path + "/socket", 0600);
  ASSERT_TRUE(fd);
  std::optional<Peer> seen;
  Acceptor acceptor(bench.loop, *fd, [&](std::unique_ptr<Stream> stream) {
    seen = stream->peer();
    stream->expires_after(20s);
    bench.loop.spawn("greet", greet(std::move(stream)));
  });
  acceptor.start();
  Attempt made = attempt(bench, {directory.path + "/socket", 0});
  ASSERT_TRUE(made.stream) << made.error.text;
  std::string greeting;
  bench.run(read_greeting(made.stream.get(), &greeting));
  EXPECT_EQ(greeting, "220 unix");
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->is_unix);
  EXPECT_FALSE(seen->loopback);
  EXPECT_EQ(seen->uid, ::getuid());
}

Awaitable<void> connect_many(Loop& loop, Endpoint to, int count, std::vector<std::unique_ptr<Stream>>* out) {
  for (int i = 0; i < count; ++i) {
    auto made = co_await connect(loop, to, 20s);
    EXPECT_TRUE(made) << made.error().text;
    if (made) out->push_back(std::move(*made));
  }
  for (auto& stream : *out) {
    auto line = co_await stream->read_line(512, 4096);
    EXPECT_TRUE(line) << line.error().text;
  }
}

TEST(Acceptor, HoldsHundredsOfConnections) {
  Bench bench;
  auto fds = listen_on({"127.0.0.1", 0});
  Endpoint to{"127.0.0.1", bound_port(fds[0])};
  Acceptor acceptor(bench.loop, fds[0], [&](std::unique_ptr<Stream> stream) {
    stream->expires_after(20s);
    bench.loop.spawn("greet", greet(std::move(stream)));
  });
  acceptor.start();
  std::vector<std::unique_ptr<Stream>> streams;
  bench.run(connect_many(bench.loop, to, 400, &streams));
  EXPECT_EQ(streams.size(), 400u);
}

Awaitable<void> wait_until(Loop& loop, const bool* flag) {
  while (!*flag) co_await loop.sleep(1ms);
}

// Descriptors run out: the connection waits in the backlog and is taken when there is room again.
TEST(Acceptor, BacksOffWithoutDescriptors) {
  Bench bench;
  auto fds = listen_on({"127.0.0.1", 0});
  Endpoint to{"127.0.0.1", bound_port(fds[0])};
  bool accepted = false;
  Acceptor acceptor(bench.loop, fds[0], [&](std::unique_ptr<Stream>) { accepted = true; });
  Attempt made = attempt(bench, to);
  ASSERT_TRUE(made.stream);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  int next = ::dup(0);
  ::close(next);
  rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  acceptor.start();
  bench.loop.context().restart();
  for (int i = 0; i < 10; ++i) bench.loop.context().poll();
  EXPECT_FALSE(accepted);
  ::setrlimit(RLIMIT_NOFILE, &before);
  bench.run(wait_until(bench.loop, &accepted));
  EXPECT_TRUE(accepted);
}

Awaitable<void> close_until(Loop& loop, std::vector<std::unique_ptr<Stream>>* accepted, const std::size_t* count,
                            std::size_t wanted) {
  while (*count < wanted) {
    accepted->clear();
    co_await loop.sleep(1ms);
  }
}

// A reserve is left to others: the backlog waits before the last descriptor is gone.
TEST(Acceptor, LeavesDescriptorsToOthers) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few{120, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_EQ(accept_limit(), 90);
  {
    Bench bench;
    auto fds = listen_on({"127.0.0.1", 0});
    Endpoint to{"127.0.0.1", bound_port(fds[0])};
    std::vector<std::unique_ptr<Stream>> accepted;
    int highest = 0;
    std::size_t count = 0;
    Acceptor acceptor(bench.loop, fds[0], [&](std::unique_ptr<Stream> stream) {
      highest = std::max(highest, static_cast<SocketStream&>(*stream).fd());
      accepted.push_back(std::move(stream));
      ++count;
    });
    std::vector<std::unique_ptr<Stream>> clients;
    for (int i = 0; i < 50; ++i) {
      Attempt made = attempt(bench, to);
      ASSERT_TRUE(made.stream) << made.error.text;
      clients.push_back(std::move(made.stream));
    }
    acceptor.start();
    bench.loop.context().restart();
    for (int i = 0; i < 100; ++i) bench.loop.context().poll();
    EXPECT_GT(count, 0u);
    EXPECT_LT(count, 50u);
    EXPECT_LE(highest, 90);
    bench.run(close_until(bench.loop, &accepted, &count, clients.size()));  // and all are served when others have gone
    EXPECT_EQ(count, clients.size());
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Acceptor, StopsFromAnyThread) {
  auto fds = listen_on({"127.0.0.1", 0});
  Endpoint to{"127.0.0.1", bound_port(fds[0])};
  Loops loops(1, system_clock(), null_log());
  std::atomic<int> accepted = 0;
  loops.start();
  {
    Acceptor acceptor(loops[0], fds[0], [&](std::unique_ptr<Stream>) { ++accepted; });
    acceptor.start();
    Bench bench;
    EXPECT_TRUE(attempt(bench, to).stream);
    while (accepted == 0) std::this_thread::yield();
  }
  std::promise<void> passed;
  loops[0].post([&] { passed.set_value(); });
  passed.get_future().get();
  Bench bench;
  EXPECT_EQ(attempt(bench, to).error.kind, ErrorKind::kRefused);
  EXPECT_EQ(accepted, 1);
}

TEST(OwnAddress, AsTheKernelSeesIt) {
  for (const char* yes : {"127.0.0.1", "127.3.2.1", "::1"}) EXPECT_TRUE(is_own_address(yes)) << yes;
  for (const char* no : {"192.0.2.77", "2001:db8::77", "mx.example", "", "/run/x"})
    EXPECT_FALSE(is_own_address(no)) << no;
}

}  // namespace
}  // namespace sidegate::net::socket_test
