// Listening and connecting: the only place that opens sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/stream.h"

namespace sidegate::net {

struct Endpoint {
  std::string address;  // numeric IPv4 or IPv6, or a path for a Unix socket (starts with '/')
  unsigned port = 0;
  std::string text() const;  // "[2001:db8::1]:587", "192.0.2.1:587"
  bool operator==(const Endpoint&) const = default;
};

// Binds before privileges are dropped; the descriptors are given to loops afterwards (SO_REUSEPORT: one a loop). Port 0
// binds an ephemeral port, the same for all. Errors name the endpoint and, for "address in use" or "permission denied",
// the next step.
Result<std::vector<int>> bind_listener(const Endpoint& at, unsigned count, int backlog = 4096);
Result<int> bind_unix_listener(const std::string& path, unsigned mode);
unsigned bound_port(int fd);

// A socket that somebody else made and handed to us. listening_at: where; kBadInput: it is no listening stream socket.
// adopt_listener: it becomes as those above are. same_place: whatever way the address is written.
Result<Endpoint> listening_at(int fd);
void adopt_listener(int fd);
bool same_place(const Endpoint& a, const Endpoint& b);

// Descriptors that connections from outside may use: a quarter of the process's limit, at most 1024, is left to the
// store, the log and the ways out.
int accept_limit();

// Accepts on one descriptor on one loop until stopped. Beyond accept_limit(), and at EMFILE and ENFILE, the backlog
// waits; looked at again every 250 ms, logged once a minute.
class Acceptor {
 public:
  using OnConnection = std::function<void(std::unique_ptr<Stream>)>;
  // Takes the descriptor. limit: the highest descriptor that a connection may get; the operator's socket has none but
  // the process's own.
  Acceptor(Loop& loop, int fd, OnConnection on_connection, int limit = accept_limit());
  ~Acceptor();
  void start();  // from any thread
  void stop();   // from any thread: closes the descriptor, no further callback after it ran on the loop
 private:
  struct State;
  std::shared_ptr<State> state_;
};

// One connection attempt to one numeric address; the deadline covers it. source: local address or empty. On this loop's
// thread. kRefused, kUnreachable and kTimeout are told apart; kBadInput: `source` is none of ours.
Awaitable<Result<std::unique_ptr<Stream>>> connect(Loop& loop, Endpoint to, Duration timeout, std::string source = {});

// Whether a numeric address is this machine's own, as the kernel sees it: it would be reached from itself. Sends
// nothing.
bool is_own_address(const std::string& address);

}  // namespace sidegate::net
