#include "submit/dialogue.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "mail/address_list.h"
#include "mail/mailbox.h"

namespace sidegate::submit {
namespace {

using mail::Reply;

constexpr Duration kPatience = std::chrono::minutes(1);        // for a greeting or a command's reply
constexpr Duration kFinalPatience = std::chrono::minutes(10);  // RFC 5321 section 4.5.3.2.6
constexpr std::size_t kBuffered = 64 * 1024;

Reply lost() {
  return {451, {4, 4, 2}, "The connection to the server broke"};
}

// RFC 5321 section 4.5.3.1.10: the recipients behind it belong into a transaction of their own.
bool too_many(const Reply& reply) {
  return reply.code == 452 && reply.status == mail::EnhancedCode{4, 5, 3};
}

}  // namespace

Result<int> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::kBadInput, path + ": no path for a Unix socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  // Not blocking while it connects: a full backlog is an answer too.
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(errno_error(errno, "socket"));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EAGAIN) return fail(ErrorKind::kOverload, path + ": the server takes no more connections now");
    if (error == ENOENT || error == ECONNREFUSED) return fail(ErrorKind::kNotFound, "no server answers at " + path);
    return std::unexpected(errno_error(error, path));
  }
  return fd;
}

Result<Reply> ReplyReader::read(Duration patience) {
  mail::ReplyParser parser;
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (const std::size_t lf = buffer_.find('\n'); lf != std::string::npos) {
      std::string line = buffer_.substr(0, lf);
      buffer_.erase(0, lf + 1);
      if (line.ends_with('\r')) line.pop_back();
      auto step = parser.push(line);
      if (!step) return std::unexpected(step.error());
      if (*step == mail::ReplyParser::Step::kDone) return parser.take();
      continue;
    }
    if (buffer_.size() > kBuffered) return fail(ErrorKind::kProtocol, "the server's reply is too long");
    const auto left = std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<Duration::rep>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return fail(ErrorKind::kTimeout, "the server does not answer");
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return fail(ErrorKind::kClosed, "the server closed the connection");
    buffer_.append(bytes, static_cast<std::size_t>(n));
  }
}

Result<Dialogue> Dialogue::open(const std::string& path) {
  auto fd = connect_to(path);
  if (!fd) return std::unexpected(fd.error());
  Dialogue dialogue(*fd);
  auto greeting = dialogue.replies_.read(kPatience);
  if (!greeting) return std::unexpected(greeting.error());
  if (greeting->code != 220) return fail(ErrorKind::kOverload, "the server says " + greeting->line());
  const std::string words = greeting->text();
  dialogue.server_ = words.substr(0, words.find(' '));
  if (!mail::is_helo_name(dialogue.server_)) return fail(ErrorKind::kProtocol, "the server does not say its name");
  if (Status sent = dialogue.send("EHLO localhost\r\n"); !sent) return std::unexpected(sent.error());
  const Reply hello = dialogue.answer(kPatience);
  if (!hello.positive()) return fail(ErrorKind::kOverload, "the server says " + hello.line());
  return dialogue;
}

Dialogue::Dialogue(Dialogue&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      replies_(std::move(other.replies_)),
      server_(std::move(other.server_)),
      broken_(other.broken_) {}

Dialogue::~Dialogue() {
  if (fd_ >= 0) ::close(fd_);
}

Status Dialogue::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    pollfd waiting{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&waiting, 1, static_cast<int>(kFinalPatience.count())) <= 0) {
      broken_ = true;
      return std::unexpected(errno_error(errno, "the connection to the server"));
    }
  }
  return {};
}

Reply Dialogue::answer(Duration patience) {
  if (broken_) return lost();
  auto reply = replies_.read(patience);
  if (reply) return std::move(*reply);
  broken_ = true;
  return lost();
}

// RFC 5321 section 4.5.2: a line that begins with a dot gets another one.
Status Dialogue::send_content(const Message& message) {
  std::string out;
  out.reserve(kBuffered + 1024);
  bool line_start = true;
  for (std::string_view piece : message.pieces()) {
    while (!piece.empty()) {
      if (line_start && piece.front() == '.') out += '.';
      const std::size_t lf = piece.find('\n');
      const std::size_t take = lf == std::string_view::npos ? piece.size() : lf + 1;
      out += piece.substr(0, take);
      piece.remove_prefix(take);
      line_start = lf != std::string_view::npos;
      if (out.size() < kBuffered) continue;
      if (Status sent = send(out); !sent) return sent;
      out.clear();
    }
  }
  out += line_start ? ".\r\n" : "\r\n.\r\n";
  return send(out);
}

std::string Dialogue::mail_command(const mail::Envelope& envelope, const Message& message) const {
  std::string out = "MAIL FROM:<" + mail::qualified(envelope.reverse_path, server_) + ">";
  out += " SIZE=" + std::to_string(message.size());
  if (message.eight_bit || envelope.body == mail::BodyType::k8bitMime) out += " BODY=8BITMIME";
  if (envelope.ret != mail::Ret::kUnspecified) out += envelope.ret == mail::Ret::kFull ? " RET=FULL" : " RET=HDRS";
  if (!envelope.envid.empty()) out += " ENVID=" + envelope.envid;
  if (envelope.smtputf8) out += " SMTPUTF8";
  return out + "\r\n";
}

std::string Dialogue::rcpt_command(const mail::Recipient& recipient) const {
  std::string out = "RCPT TO:<" + mail::qualified(recipient.address, server_) + ">";
  if (recipient.notify.specified()) out += " NOTIFY=" + mail::notify_words(recipient.notify);
  if (!recipient.orcpt.empty()) out += " ORCPT=" + recipient.orcpt;
  return out + "\r\n";
}

void Dialogue::transaction(const mail::Envelope& envelope, const Message& message,
                           const std::vector<std::size_t>& which, std::vector<Reply>& results) {
  // RFC 2920: MAIL, RCPT and DATA in one write.
  std::string commands = mail_command(envelope, message);
  for (std::size_t n : which) commands += rcpt_command(envelope.recipients[n]);
  (void)send(commands + "DATA\r\n");
  const Reply from = answer(kPatience);
  std::vector<std::size_t> accepted;
  for (std::size_t n : which) {
    Reply to = answer(kPatience);
    if (to.positive() && from.positive()) accepted.push_back(n);
    results[n] = from.positive() ? std::move(to) : from;
  }
  Reply end = answer(kPatience);
  if (end.code == 354 && !from.positive()) {
    broken_ = true;  // a transaction that we did not begin: not even the lone dot may go into it
  } else if (end.code == 354) {
    // After 354 with every recipient refused: the lone dot, and what is said to it does not matter.
    (void)(accepted.empty() ? send(".\r\n") : send_content(message));
    end = answer(kFinalPatience);
  } else {
    if (end.positive()) end = lost();  // never believed: nothing was sent
    // RFC 5321 section 4.1.1.5: what was refused at DATA is still under way.
    (void)send("RSET\r\n");
    (void)answer(kPatience);
  }
  for (std::size_t n : accepted) results[n] = end;
}

std::vector<Reply> Dialogue::submit(const mail::Envelope& envelope, const Message& message) {
  std::vector<Reply> results(envelope.recipients.size(), lost());
  std::vector<std::size_t> left(results.size());
  for (std::size_t n = 0; n < left.size(); ++n) left[n] = n;
  while (!left.empty() && !broken_) {
    transaction(envelope, message, left, results);
    const std::size_t before = left.size();
    std::erase_if(left, [&](std::size_t n) { return !too_many(results[n]); });
    if (left.size() == before) break;
  }
  return results;
}

std::vector<Reply> Dialogue::verify(const mail::Envelope& envelope) {
  std::vector<Reply> results;
  (void)send("MAIL FROM:<" + mail::qualified(envelope.reverse_path, server_) + ">" +
             (envelope.smtputf8 ? " SMTPUTF8\r\n" : "\r\n"));
  const Reply from = answer(kPatience);
  for (const mail::Recipient& recipient : envelope.recipients) {
    if (from.positive()) (void)send(rcpt_command(recipient));
    results.push_back(from.positive() ? answer(kPatience) : from);
  }
  (void)send("RSET\r\n");
  (void)answer(kPatience);
  return results;
}

void Dialogue::quit() {
  if (!broken_) (void)send("QUIT\r\n");
}

}  // namespace sidegate::submit
