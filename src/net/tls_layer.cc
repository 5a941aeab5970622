#include "net/tls_layer.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sidegate::net {

TlsLayer::TlsLayer(Loop* loop, SSL* ssl, int fd, std::shared_ptr<const void> context)
    : ssl_(ssl), fd_(fd), context_(std::move(context)), incoming_(loop) {
  BIO* bio = BIO_new(method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
}

TlsLayer::~TlsLayer() {
  // A session whose connection ends without this mark is no longer resumed.
  if (SSL_is_init_finished(ssl_) == 1) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

const BIO_METHOD* TlsLayer::method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sidegate stream");
    BIO_meth_set_write_ex(made, &TlsLayer::bio_write);
    BIO_meth_set_read_ex(made, &TlsLayer::bio_read);
    BIO_meth_set_ctrl(made, &TlsLayer::bio_control);
    return made;
  }();
  return kMethod;
}

int TlsLayer::bio_write(BIO* bio, const char* bytes, std::size_t n, std::size_t* written) {
  auto* self = static_cast<TlsLayer*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t sent = 0;
  do {
    sent = ::send(self->fd_, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    *written = static_cast<std::size_t>(sent);
    return 1;
  }
  if (errno == EAGAIN) {
    BIO_set_retry_write(bio);
  } else {
    self->error_ = errno;
  }
  return 0;
}

int TlsLayer::bio_read(BIO* bio, char* out, std::size_t n, std::size_t* read) {
  auto* self = static_cast<TlsLayer*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  std::string_view there = self->incoming_.view().substr(0, n);
  if (there.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(out, there.data(), there.size());
  self->incoming_.consume(there.size());
  *read = there.size();
  return 1;
}

long TlsLayer::bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

TlsLayer::Step TlsLayer::after(int result, const char* doing) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_NONE:
      return {};
    case SSL_ERROR_WANT_READ:
      return {Want::kRead, {}};
    case SSL_ERROR_WANT_WRITE:
      return {Want::kWrite, {}};
    case SSL_ERROR_ZERO_RETURN:
      return {Want::kNothing, fail(ErrorKind::kClosed, "the peer closed the connection")};
    default:
      break;
  }
  if (error_ != 0) {
    ERR_clear_error();
    return {Want::kNothing, std::unexpected(errno_error(error_, std::string(doing)))};
  }
  return {Want::kNothing, fail(ErrorKind::kTls, std::string(doing) + ": " + tls::last_error())};
}

TlsLayer::Step TlsLayer::handshake() {
  ERR_clear_error();  // SSL_get_error looks at the thread's queue
  return after(SSL_do_handshake(ssl_), "TLS handshake");
}

TlsLayer::Step TlsLayer::read(ReadBuffer& into) {
  ERR_clear_error();
  std::span<char> room = into.room();
  std::size_t n = 0;
  int result = SSL_read_ex(ssl_, room.data(), room.size(), &n);
  into.filled(n);
  // More records may be here already: a block is filled at once.
  while (result == 1 && incoming_.size() > 0 && !into.room().empty()) {
    room = into.room();
    if (SSL_read_ex(ssl_, room.data(), room.size(), &n) != 1) break;  // the next call meets the same end
    into.filled(n);
  }
  return after(result, "TLS read");
}

TlsLayer::Step TlsLayer::write(std::string_view bytes, std::size_t* written) {
  ERR_clear_error();
  *written = 0;
  return after(SSL_write_ex(ssl_, bytes.data(), bytes.size(), written), "TLS write");
}

bool TlsLayer::silent_and_open() {
  ERR_clear_error();
  char octet;
  std::size_t n = 0;
  int result = SSL_peek_ex(ssl_, &octet, 1, &n);
  return result != 1 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
}

void TlsLayer::shut_down() {
  if (!established()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

bool TlsLayer::established() const {
  return SSL_is_init_finished(ssl_) == 1;
}

}  // namespace sidegate::net
