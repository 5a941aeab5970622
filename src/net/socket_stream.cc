#include "net/socket_stream.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>

#include "net/address.h"
#include "net/tls_layer.h"

namespace sidegate::net {
namespace {

// co_await of these makes no coroutine frame of its own, and gives the error as a value.
constexpr auto kAsValue = boost::asio::as_tuple(boost::asio::deferred);

// So many steps in a row that did not wait: then other sessions get their turn.
constexpr std::uint8_t kMostWithoutWaiting = 16;

constexpr std::size_t kMostInOneRecord = 16 * 1024;  // RFC 8446 section 5.1

Error closed_by_peer() {
  return {ErrorKind::kClosed, "the peer closed the connection"};
}

}  // namespace

SocketStream::SocketStream(Loop& loop, int fd, int family, Peer peer)
    : owner_(loop), socket_(loop.context().get_executor()), peer_(std::move(peer)), input_(&loop) {
  boost::system::error_code error;
  socket_.assign(boost::asio::generic::stream_protocol(family, 0), fd, error);
  if (error) {
    ::close(fd);
    closed_ = true;
  }
  loop.add(*this);
}

SocketStream::~SocketStream() {
  close();
  owner_.remove(*this);
}

// ---- waiting

void SocketStream::expires_after(Duration d) {
  expired_ = false;
  deadline_ = owner_.clock().steady() + d;
}

void SocketStream::on_deadline() {
  expired_ = true;
  boost::system::error_code ignored;
  if (waiting_) socket_.cancel(ignored);
}

void SocketStream::cancel() {
  cancelled_ = true;
  boost::system::error_code ignored;
  if (waiting_) socket_.cancel(ignored);
}

void SocketStream::close() {
  if (closed_) return;
  closed_ = true;
  if (tls_) tls_->shut_down();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

Status SocketStream::may_go_on() const {
  if (closed_) return fail(ErrorKind::kClosed, "the connection is closed");
  if (expired_) return fail(ErrorKind::kTimeout, "no answer in time");
  return {};
}

Status SocketStream::wait_ended(const boost::system::error_code& error) {
  waiting_ = false;
  without_waiting_ = 0;
  if (!error) return {};
  if (Status go_on = may_go_on(); !go_on) return go_on;
  if (cancelled_) {
    cancelled_ = false;
    return fail(ErrorKind::kClosed, "we ended the connection");
  }
  if (error == boost::asio::error::eof) return std::unexpected(closed_by_peer());
  return std::unexpected(errno_error(error.value(), "connection to " + peer_.address));
}

Status SocketStream::received(const boost::system::error_code& error, std::size_t n) {
  ReadBuffer& into = raw_input();
  if (!error) {
    more_likely_ = n == into.room().size();
    into.filled(n);
  }
  return wait_ended(error);
}

ReadBuffer& SocketStream::raw_input() {
  return tls_ ? tls_->incoming() : input_;
}

// Makes room for what the wait will bring. An idle stream waits with its 512 octets alone.
void SocketStream::prepare_wait(std::size_t capacity) {
  input_.settle();
  ReadBuffer& into = raw_input();
  if (tls_) into.settle();
  into.reserve(capacity);
  waiting_ = true;
}

// For what waits seldom: a handshake, a write. Reads wait in their own coroutine and save a frame.
Awaitable<Status> SocketStream::wait(Next next) {
  if (next == Next::kYield) {
    without_waiting_ = 0;
    co_await boost::asio::post(owner_.context(), boost::asio::deferred);
    co_return may_go_on();
  }
  if (cancelled_) {
    cancelled_ = false;
    co_return fail(ErrorKind::kClosed, "we ended the connection");
  }
  if (next == Next::kWritable) {
    waiting_ = true;
    auto [error] = co_await socket_.async_wait(Socket::wait_write, kAsValue);
    co_return wait_ended(error);
  }
  // RFC 8446 section 4.6.3: a KeyUpdate may come while we write; only OpenSSL's own octets are waited for here.
  ReadBuffer& into = raw_input();
  into.reserve(ReadBuffer::kSmall);
  waiting_ = true;
  auto room = boost::asio::buffer(into.room().data(), into.room().size());
  auto [error, n] = co_await socket_.async_read_some(room, kAsValue);
  co_return received(error, n);
}

Awaitable<Status> SocketStream::wait_writable() {
  return wait(Next::kWritable);
}

// ---- reading

// recv without waiting, where the last one left something in the kernel.
SocketStream::Step SocketStream::receive_now(ReadBuffer& into) {
  if (!more_likely_) return {Next::kReadable, {}};
  into.reserve(ReadBuffer::kLarge);
  std::span<char> room = into.room();
  ssize_t n = 0;
  do {
    n = ::recv(fd(), room.data(), room.size(), MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) {
    more_likely_ = false;
    return {Next::kReadable, {}};
  }
  if (n == 0) return failed(closed_by_peer());
  if (n < 0) return failed(errno_error(errno, "connection to " + peer_.address));
  more_likely_ = static_cast<std::size_t>(n) == room.size();
  into.filled(static_cast<std::size_t>(n));
  return {};
}

// Brings more into input_, or says what to wait for. capacity: what a line may need.
SocketStream::Step SocketStream::read_step(std::size_t capacity) {
  if (Status go_on = may_go_on(); !go_on) return {Next::kDone, go_on};
  if (++without_waiting_ > kMostWithoutWaiting) return {Next::kYield, {}};
  input_.reserve(capacity);
  if (!tls_) return receive_now(input_);
  for (;;) {
    if (tls_->incoming().size() > input_.room().size()) input_.reserve(ReadBuffer::kLarge);
    TlsLayer::Step step = tls_->read(input_);
    if (step.want == TlsLayer::Want::kNothing) return {Next::kDone, std::move(step.status)};
    if (step.want == TlsLayer::Want::kWrite) return {Next::kWritable, {}};
    Step raw = receive_now(tls_->incoming());
    if (raw.next != Next::kDone || !raw.status) return raw;
  }
}

Awaitable<Result<std::string_view>> SocketStream::read_line(std::size_t limit, std::size_t fatal) {
  for (;;) {
    if (auto line = input_.take_line(limit, fatal)) {
      if (!*line && line->error().kind == ErrorKind::kClosed) close();
      co_return std::move(*line);
    }
    std::size_t capacity = std::max(limit + 2, ReadBuffer::kSmall);
    Step step = read_step(input_.room().empty() ? capacity : 0);
    Status status = std::move(step.status);
    if (step.next == Next::kReadable && !cancelled_) {
      prepare_wait(tls_ ? 0 : input_.size() + 1);
      auto room = boost::asio::buffer(raw_input().room().data(), raw_input().room().size());
      auto [error, n] = co_await socket_.async_read_some(room, kAsValue);
      status = received(error, n);
    } else if (step.next != Next::kDone) {
      status = co_await wait(step.next);
    }
    if (!status) co_return std::unexpected(std::move(status.error()));
  }
}

Awaitable<Result<std::string_view>> SocketStream::read_some() {
  while (input_.size() == 0) {
    Step step = read_step(0);
    Status status = std::move(step.status);
    if (step.next == Next::kReadable && !cancelled_) {
      prepare_wait(ReadBuffer::kMedium);
      auto room = boost::asio::buffer(raw_input().room().data(), raw_input().room().size());
      auto [error, n] = co_await socket_.async_read_some(room, kAsValue);
      status = received(error, n);
    } else if (step.next != Next::kDone) {
      status = co_await wait(step.next);
    }
    if (!status) co_return std::unexpected(std::move(status.error()));
  }
  co_return input_.view();
}

std::string SocketStream::local_address() const {
  SocketAddress ours;
  if (closed_ || peer_.is_unix) return {};
  // native_handle() is no const member.
  const int fd = const_cast<Socket&>(socket_).native_handle();
  return ::getsockname(fd, ours.get(), ours.room()) == 0 ? ours.text() : std::string();
}

bool SocketStream::looks_dead() {
  if (closed_ || input_.size() > 0) return true;
  char octet;
  ssize_t n = ::recv(fd(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  bool silent = n < 0 && errno == EAGAIN;
  if (!tls_) return !silent;
  if (n <= 0 && !silent) return true;
  // RFC 8446 section 4.6.1: a server sends tickets when it likes; OpenSSL takes them, and says whether data follows.
  while (!silent) {
    ReadBuffer& into = tls_->incoming();
    more_likely_ = true;
    Step step = receive_now(into);
    if (!step.status) return true;
    silent = step.next == Next::kReadable || !more_likely_;
  }
  bool alive = tls_->silent_and_open();
  tls_->incoming().settle();
  return !alive;
}

// ---- writing

SocketStream::Step SocketStream::write_step(iovec* parts, std::size_t count) {
  if (Status go_on = may_go_on(); !go_on) return {Next::kDone, go_on};
  if (++without_waiting_ > kMostWithoutWaiting) return {Next::kYield, {}};
  std::size_t written = 0;
  if (tls_) {
    std::string_view bytes(static_cast<char*>(parts[0].iov_base), parts[0].iov_len);
    TlsLayer::Step step = tls_->write(bytes, &written);
    if (!step.status) return {Next::kDone, std::move(step.status)};
    if (step.want == TlsLayer::Want::kRead) {
      Step raw = receive_now(tls_->incoming());
      return raw.next == Next::kDone && raw.status ? write_step(parts, count) : raw;
    }
    if (step.want == TlsLayer::Want::kWrite) return {Next::kWritable, {}};
  } else {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    ssize_t n = 0;
    do {
      n = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return {Next::kWritable, {}};
    if (n < 0) return failed(errno_error(errno, "connection to " + peer_.address));
    written = static_cast<std::size_t>(n);
  }
  for (std::size_t i = 0; i < count && written > 0; ++i) {
    std::size_t of_this = std::min(written, parts[i].iov_len);
    parts[i].iov_base = static_cast<char*>(parts[i].iov_base) + of_this;
    parts[i].iov_len -= of_this;
    written -= of_this;
  }
  return {};
}

Awaitable<Status> SocketStream::write_parts(std::string_view first, std::string_view second) {
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()}, {const_cast<char*>(second.data()), second.size()}};
  iovec* at = parts;
  iovec* end = parts + 2;
  for (;;) {
    while (at != end && at->iov_len == 0) ++at;
    if (at == end) co_return Status{};
    Step step = write_step(at, static_cast<std::size_t>(end - at));
    if (!step.status) co_return step.status;
    if (step.next == Next::kDone) continue;
    Status waited = co_await wait(step.next);
    if (!waited) co_return waited;
  }
}

Awaitable<Status> SocketStream::write(std::string_view bytes) {
  return write_parts(bytes, {});
}

Awaitable<Status> SocketStream::write2(std::string_view first, std::string_view second) {
  if (!tls_ || first.empty() || second.empty() || first.size() + second.size() > kMostInOneRecord) {
    co_return co_await write_parts(first, second);
  }
  std::string joined;  // one record, one segment
  joined.reserve(first.size() + second.size());
  joined.append(first).append(second);
  co_return co_await write_parts(joined, {});
}

// ---- TLS

Awaitable<Status> SocketStream::start_tls_server(std::shared_ptr<const tls::ServerContext> context) {
  // RFC 3207 section 4.2 and CVE-2011-0411: what came before the handshake is not part of the session.
  if (tls_) co_return fail(ErrorKind::kConflict, "TLS is active already");
  if (input_.size() > 0 && !expects_tls_)
    co_return fail(ErrorKind::kProtocol, "data was sent before the TLS handshake (injected?)");
  SSL* ssl = context->new_ssl();
  if (ssl == nullptr) co_return fail(ErrorKind::kTls, tls::last_error());
  tls_ = std::make_unique<TlsLayer>(&owner_, ssl, fd(), context);
  if (std::exchange(expects_tls_, false) && input_.size() > 0) {
    tls_->incoming().reserve(input_.size());
    tls_->incoming().append(input_.view());
    input_.clear();
  }
  Status done = co_await handshake();
  if (done) tls_->verdict = tls::describe(ssl);
  co_return done;
}

Awaitable<Status> SocketStream::start_tls_client(std::shared_ptr<const tls::ClientContext> context) {
  if (tls_) co_return fail(ErrorKind::kConflict, "TLS is active already");
  if (input_.size() > 0) co_return fail(ErrorKind::kProtocol, "data was sent before the TLS handshake (injected?)");
  SSL* ssl = context->new_ssl();
  if (ssl == nullptr) co_return fail(ErrorKind::kTls, tls::last_error());
  tls_ = std::make_unique<TlsLayer>(&owner_, ssl, fd(), context);
  Status done = co_await handshake();
  if (done) tls_->verdict = tls::judge(ssl, context->policy());
  co_return done;
}

// A failed handshake leaves no plain connection behind: the stream is closed.
Awaitable<Status> SocketStream::handshake() {
  for (;;) {
    Status status = may_go_on();
    TlsLayer::Step step;
    if (status) {
      step = tls_->handshake();
      status = std::move(step.status);
    }
    if (status && step.want == TlsLayer::Want::kNothing) {
      tls_->incoming().settle();
      co_return status;
    }
    if (status) status = co_await wait(step.want == TlsLayer::Want::kRead ? Next::kReadable : Next::kWritable);
    if (status) continue;
    close();
    status.error().text.insert(0, status.error().text.starts_with("TLS") ? "" : "TLS handshake: ");
    co_return status;
  }
}

const tls::Verdict& SocketStream::verdict() const {
  static const tls::Verdict kNone;
  return tls_ ? tls_->verdict : kNone;
}

tls::ChannelBinding SocketStream::channel_binding() const {
  return tls_ ? tls::channel_binding(tls_->ssl()) : tls::ChannelBinding{};
}

}  // namespace sidegate::net
