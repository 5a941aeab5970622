// `sendmail -bs` while the server is down: the server's own session (smtp/server_session.h), whose every message goes
// to the drop directory. The session speaks on one end of a pair of sockets; the program's standard input and output
// are carried to the other one, as they would be to the server.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/i18n.h"
#include "cli/programs.h"
#include "config/resolve.h"
#include "net/loop.h"
#include "net/socket_stream.h"
#include "smtp/server_session.h"
#include "submit/drop.h"
#include "submit/pump.h"

namespace sidegate::cli {
namespace {

using mail::Reply;

constexpr std::size_t kMaxMessage = 256u << 20;

class DropReceiver final : public smtp::Receiver {
 public:
  explicit DropReceiver(std::string directory) : directory_(std::move(directory)) {}

  net::Awaitable<Reply> connected(const smtp::SessionInfo&) override { co_return Reply(220, "ready"); }
  net::Awaitable<Reply> mail(const smtp::SessionInfo&, smtp::MailCommand command) override {
    envelope_ = {};
    if (!command.path.is_null) envelope_.reverse_path = command.path.mailbox.text();
    envelope_.body = command.body;
    envelope_.ret = command.ret;
    envelope_.envid = std::move(command.envid);
    envelope_.smtputf8 = command.smtputf8;
    co_return Reply(250, {2, 1, 0}, "Ok");
  }
  net::Awaitable<Reply> rcpt(const smtp::SessionInfo&, smtp::RcptCommand command) override {
    mail::Recipient& to = envelope_.recipients.emplace_back();
    to.address = command.path.mailbox.text();
    to.notify = command.notify;
    to.orcpt = std::move(command.orcpt);
    co_return Reply(250, {2, 1, 5}, "Ok");
  }
  net::Awaitable<Reply> begin(const smtp::SessionInfo&) override {
    message_ = {};
    co_return Reply(250, {2, 0, 0}, "Ok");
  }
  net::Awaitable<void> content(std::string_view bytes) override {
    if (message_.size() <= kMaxMessage) message_.add(std::string(bytes));
    co_return;
  }
  // The one session of this process: it may wait for the disk.
  net::Awaitable<Reply> end(const smtp::SessionInfo&, const smtp::ContentFacts&) override {
    Reply reply(250, {2, 0, 0}, "kept until the server is back");
    if (message_.size() > kMaxMessage) {
      reply = Reply(552, {5, 3, 4}, "Message is too large");
    } else if (Status kept = submit::drop(directory_, envelope_, message_); !kept) {
      reply =
          Reply(451, {4, 3, 0}, "The server is down, and mail cannot be kept until it is back: " + kept.error().text);
    }
    abort();
    co_return reply;
  }
  void abort() noexcept override {
    envelope_ = {};
    message_ = {};
  }

 private:
  std::string directory_;
  mail::Envelope envelope_;
  submit::Message message_;
};

net::Awaitable<void> serve(net::Loop* loop, int fd, std::string directory) {
  net::Peer peer;
  peer.address = "unix";
  peer.is_unix = true;
  peer.uid = getuid();
  net::SocketStream stream(*loop, fd, AF_UNIX, std::move(peer));
  DropReceiver receiver(std::move(directory));
  auto settings = std::make_shared<smtp::ServerSettings>();
  settings->hostname = config::system_host_name();
  if (settings->hostname.empty()) settings->hostname = "localhost";
  smtp::ServerSession session(stream, receiver, std::move(settings), "drop");
  co_await session.run();
}

}  // namespace

int offline_dialogue(const std::string& drop_directory) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return EX_OSERR;
  net::Loop loop(0, system_clock(), null_log());
  loop.spawn("sendmail -bs", serve(&loop, pair[0], drop_directory));
  std::thread thread([&loop] { loop.run(); });
  const bool good = submit::pump(pair[1], {});
  loop.stop();
  thread.join();
  return good ? EX_OK : EX_IOERR;
}

}  // namespace sidegate::cli
