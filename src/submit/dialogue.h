// The client's side of the submit socket: blocking, one message after the other, a process that ends soon.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "submit/message.h"

namespace sidegate::submit {

// A connected Unix socket; kNotFound or kRefused: nobody answers there; kOverload: its backlog is full.
Result<int> connect_to(const std::string& path);

// One line of a reply after the other, until it is whole; kClosed, kTimeout, kProtocol.
class ReplyReader {
 public:
  explicit ReplyReader(int fd) : fd_(fd) {}
  Result<mail::Reply> read(Duration patience);
  // What was read and not asked for.
  std::string take_rest() { return std::exchange(buffer_, {}); }

 private:
  int fd_;
  std::string buffer_;
};

class Dialogue {
 public:
  // Connects and says EHLO. An error of any kind: this server takes nothing now.
  static Result<Dialogue> open(const std::string& path);
  Dialogue(Dialogue&& other) noexcept;
  ~Dialogue();

  const std::string& server() const { return server_; }  // the name it gives itself

  // The reply each recipient ended with, in the envelope's order: 250 means durable. Addresses are qualified with the
  // server's name. Where the connection breaks, what is not answered ends with 451.
  std::vector<mail::Reply> submit(const mail::Envelope& envelope, const Message& message);
  // The reply to each recipient, without a message.
  std::vector<mail::Reply> verify(const mail::Envelope& envelope);
  void quit();

 private:
  explicit Dialogue(int fd) : fd_(fd), replies_(fd) {}
  Status send(std::string_view bytes);
  Status send_content(const Message& message);
  mail::Reply answer(Duration patience);
  // Recipients from..to of `all` in one transaction.
  void transaction(const mail::Envelope& envelope, const Message& message, const std::vector<std::size_t>& which,
                   std::vector<mail::Reply>& results);
  std::string mail_command(const mail::Envelope& envelope, const Message& message) const;
  std::string rcpt_command(const mail::Recipient& recipient) const;

  int fd_;
  ReplyReader replies_;
  std::string server_;
  bool broken_ = false;
};

}  // namespace sidegate::submit
