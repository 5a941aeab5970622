// OpenSSL between a stream's octets and its socket. It reads from a buffer the stream fills and writes to the socket
// itself; it never waits: each step says what it needs. (A BIO of ours and not SSL_set_fd: OpenSSL would read each
// record in two system calls, and could not say that the kernel has nothing more.)
#pragma once

#include <memory>
#include <string>

#include "net/read_buffer.h"
#include "tls/context.h"

using BIO = struct bio_st;
using BIO_METHOD = struct bio_method_st;

namespace sidegate::net {

class TlsLayer {
 public:
  enum class Want : unsigned char { kNothing, kRead, kWrite };
  struct Step {
    Want want = Want::kNothing;  // kNothing: done, or failed
    Status status;
  };

  // Takes ssl. `context` is kept alive as long as it.
  TlsLayer(Loop* loop, SSL* ssl, int fd, std::shared_ptr<const void> context);
  ~TlsLayer();
  TlsLayer(const TlsLayer&) = delete;

  Step handshake();
  Step read(ReadBuffer& into);                               // into must have room
  Step write(std::string_view bytes, std::size_t* written);  // repeat with the same bytes after a want
  bool silent_and_open();  // no data and no end: only handshake messages (tickets), if any
  void shut_down();        // close_notify, as far as the socket takes it

  ReadBuffer& incoming() { return incoming_; }  // from the wire, not yet decrypted
  bool established() const;
  SSL* ssl() const { return ssl_; }
  tls::Verdict verdict;

 private:
  static int bio_write(BIO* bio, const char* bytes, std::size_t n, std::size_t* written);
  static int bio_read(BIO* bio, char* out, std::size_t n, std::size_t* read);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  static const BIO_METHOD* method();
  Step after(int result, const char* doing);

  SSL* ssl_;
  int fd_;
  int error_ = 0;  // errno of a failed send
  std::shared_ptr<const void> context_;
  ReadBuffer incoming_;
};

}  // namespace sidegate::net
