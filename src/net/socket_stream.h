// Stream over a socket. Plain octets go straight to recv and send; with TLS the same octets pass through OpenSSL in
// between (tls_layer.h). It waits only when the kernel has nothing or takes nothing:
//
//   a command:  one recv when the loop says that octets are there, one send for the reply; nothing else
//   a body:     recv into 8 KiB, then into 64 KiB borrowed from the loop, until the kernel has no more
//
// No system call is spent on a deadline: it is a time in the loop's list.
#pragma once

#include <sys/uio.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>

#include "net/loop.h"
#include "net/read_buffer.h"
#include "net/stream.h"

namespace sidegate::net {

class TlsLayer;

class SocketStream final : public Stream, private Timed {
 public:
  // Takes a connected (or connecting) stream socket. On the loop's thread, as everything here.
  SocketStream(Loop& loop, int fd, int family, Peer peer);
  ~SocketStream() override;

  Awaitable<Result<std::string_view>> read_line(std::size_t limit, std::size_t fatal) override;
  bool line_had_crlf() const override { return input_.line_had_crlf(); }
  bool has_buffered_line() const override { return input_.has_line(); }
  Awaitable<Result<std::string_view>> read_some() override;
  void consume(std::size_t n) override { input_.consume(n); }
  std::size_t buffered() const override { return input_.size(); }
  void drop_buffered() override { input_.clear(); }

  Awaitable<Status> write(std::string_view bytes) override;
  Awaitable<Status> write2(std::string_view first, std::string_view second) override;

  Awaitable<Status> start_tls_server(std::shared_ptr<const tls::ServerContext> context) override;
  void expect_tls() override { expects_tls_ = true; }
  Awaitable<Status> start_tls_client(std::shared_ptr<const tls::ClientContext> context) override;
  bool is_tls() const override { return tls_ != nullptr; }
  const tls::Verdict& verdict() const override;
  tls::ChannelBinding channel_binding() const override;

  void expires_after(Duration d) override;
  SteadyTime now() const override { return owner_.clock().steady(); }
  void cancel() override;
  void close() override;
  const Peer& peer() const override { return peer_; }
  std::string local_address() const;  // numeric; empty: not by IP, or closed
  bool looks_dead() override;

  // The socket is writable, or the deadline has passed: the end of a connect().
  Awaitable<Status> wait_writable();
  int fd() { return socket_.native_handle(); }

 private:
  using Socket =
      boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;
  enum class Next : std::uint8_t { kDone, kReadable, kWritable, kYield };
  // What a step came to without waiting: done (or failed), or what must happen first.
  struct Step {
    Next next = Next::kDone;
    Status status;
  };

  void on_deadline() override;
  Status may_go_on() const;
  ReadBuffer& raw_input();
  void prepare_wait(std::size_t capacity);
  Status wait_ended(const boost::system::error_code& error);
  Status received(const boost::system::error_code& error, std::size_t n);
  Step failed(Error error) { return {Next::kDone, std::unexpected(std::move(error))}; }

  Step receive_now(ReadBuffer& into);
  Step read_step(std::size_t capacity);
  Step write_step(iovec* parts, std::size_t count);
  Awaitable<Status> wait(Next next);
  Awaitable<Status> write_parts(std::string_view first, std::string_view second);
  Awaitable<Status> handshake();

  Loop& owner_;
  Socket socket_;
  std::unique_ptr<TlsLayer> tls_;
  bool closed_ = false;
  bool waiting_ = false;
  bool expired_ = false;      // the deadline passed; until the next expires_after()
  bool cancelled_ = false;    // the next wait ends with kClosed
  bool expects_tls_ = false;  // what is in input_ is no plain text
  bool more_likely_ = false;  // the last recv filled its room: the kernel has more
  std::uint8_t without_waiting_ = 0;
  Peer peer_;
  ReadBuffer input_;
};

}  // namespace sidegate::net
