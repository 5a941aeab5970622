// Stream: one connection, plain or TLS, as a session sees it. Two bodies: SocketStream (net/socket_stream.h) and
// ScriptStream for tests (net/script_stream.h).
//
// A stream belongs to one I/O thread and one coroutine at a time. Every wait ends at the deadline set by
// expires_after(): it then fails with kTimeout. Failures are values; an orderly close by the peer is kClosed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "tls/context.h"

namespace sidegate::net {

template <typename T>
using Awaitable = boost::asio::awaitable<T, boost::asio::any_io_executor>;

// Whether a peer's address is the socket's own, or what a proxy said (PROXY protocol, XCLIENT).
enum class Told : std::uint8_t {
  kSocket,
  kAddress,  // address and port were told; never this machine's own, so loopback is false
  kNothing,  // the client's address is not known; the proxy's stands for it, and is nobody's credit
};

struct Peer {
  std::string address = {};  // textual, IPv4-mapped IPv6 shown as IPv4; "unix" for a Unix socket
  unsigned port = 0;
  bool loopback = false;
  bool is_unix = false;
  unsigned uid = 0;  // SO_PEERCRED, where is_unix
  Told told = Told::kSocket;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // --- reading. What was read ahead is kept in a buffer that an idle stream does not hold.
  // One line without its end. LF alone also ends a line here: the caller asks line_had_crlf() where the protocol cares.
  // At most `limit` octets, the line's end not counted (kTooLarge then; the line is consumed as it arrives, up to
  // `fatal` octets, after which the stream is closed with kClosed). After kTooLarge the next line can be read. The view
  // is valid until the next read.
  virtual Awaitable<Result<std::string_view>> read_line(std::size_t limit, std::size_t fatal) = 0;
  virtual bool line_had_crlf() const = 0;
  // A line that is already there, without waiting; nullopt: none whole. Same limits; used for pipelined commands.
  virtual bool has_buffered_line() const = 0;
  // What is there, at least one octet; valid until the next read. Follow with consume(n <= size): what is not consumed
  // stays for the next read.
  virtual Awaitable<Result<std::string_view>> read_some() = 0;
  virtual void consume(std::size_t n) = 0;
  // Octets read ahead and not yet consumed.
  virtual std::size_t buffered() const = 0;
  virtual void drop_buffered() = 0;  // RFC 3207 section 4.2: nothing read before the handshake survives it

  // --- writing: all of it, or an error. The bytes must live until it returns.
  virtual Awaitable<Status> write(std::string_view bytes) = 0;
  virtual Awaitable<Status> write2(std::string_view first,
                                   std::string_view second) = 0;  // one gathered write on plain sockets

  // --- TLS. Octets read ahead fail with kProtocol (they were injected), unless the caller has dropped them before; the
  // stream is as it was then. A handshake that fails for another reason leaves the stream closed. start_tls_client does
  // not fail on a bad certificate: ask verdict().
  virtual Awaitable<Status> start_tls_server(std::shared_ptr<const tls::ServerContext> context) = 0;
  // The next start_tls_server() takes what was read ahead for the peer's first words of TLS: where nothing but TLS was
  // ever expected of it (RFC 8314), and a proxy's header went before.
  virtual void expect_tls() {}
  virtual Awaitable<Status> start_tls_client(std::shared_ptr<const tls::ClientContext> context) = 0;
  virtual bool is_tls() const = 0;
  virtual const tls::Verdict& verdict() const = 0;
  virtual tls::ChannelBinding channel_binding() const = 0;

  // --- life
  virtual void expires_after(Duration d) = 0;
  virtual SteadyTime now() const = 0;  // on the clock that deadlines are made of
  // Ends a wait under way with kClosed, from the stream's own thread (shutdown, drain). Where none is under way, the
  // next one ends so. Once: a last reply can still be written.
  virtual void cancel() = 0;
  virtual void close() = 0;
  virtual const Peer& peer() const = 0;
  // True when the peer has closed or sent something while we were silent: a pooled connection is then not fit for use.
  virtual bool looks_dead() = 0;
};

}  // namespace sidegate::net
