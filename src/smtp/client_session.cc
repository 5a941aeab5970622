// The client's dialogue up to mail and after it: greet, ehlo, starttls, quit. AUTH is in client_auth.cc, mail in
// client_transaction.cc.
#include "smtp/client_session.h"

#include <string.h>

#include "base/text.h"
#include "smtp/client_trouble.h"

namespace sidegate::smtp {
namespace {

// A reply line may be this long (RFC 5321 section 4.5.3.1.5 says 512; real ones are longer); the whole reply is bounded
// by mail::ReplyParser.
constexpr std::size_t kReplyLine = 64 * 1024;

const char* waiting_for(Phase phase) {
  switch (phase) {
    case Phase::kGreeting:
      return "the greeting";
    case Phase::kEhlo:
      return "the reply to EHLO";
    case Phase::kStartTls:
      return "the reply to STARTTLS";
    case Phase::kTls:
      return "the TLS handshake";
    case Phase::kAuth:
      return "the reply to AUTH";
    case Phase::kMail:
      return "the reply to MAIL";
    case Phase::kRcpt:
      return "the reply to RCPT";
    case Phase::kData:
      return "the reply to DATA";
    case Phase::kContent:
      return "the server to take the message";
    case Phase::kFinal:
      return "the reply after the message";
    case Phase::kQuit:
      return "the reply to QUIT";
    default:
      return "the server";
  }
}

}  // namespace

// Where a step broke by itself: the phase and our words.
Trouble broken_at(Phase phase, Error error) {
  if (error.kind == ErrorKind::kTooLarge) error.kind = ErrorKind::kProtocol;
  error.text = fmt::format("while waiting for {}: {}", waiting_for(phase), error.text);
  return Trouble{phase, std::nullopt, std::move(error)};
}

Trouble refused_at(Phase phase, ErrorKind kind, mail::Reply reply) {
  Trouble trouble{phase, std::nullopt, Error{reply.code == 421 ? ErrorKind::kClosed : kind, reply.line()}};
  trouble.reply = std::move(reply);
  return trouble;
}

ClientSession::ClientSession(net::Stream& stream, std::string hostname, ClientTimeouts timeouts)
    : stream_(stream), hostname_(std::move(hostname)), timeouts_(timeouts) {}

void ClientSession::set_transcript(Transcript transcript) {
  transcript_ = std::move(transcript);
}

void ClientSession::show(char direction, std::string_view line) const {
  if (transcript_) transcript_(direction, printable(line));
}

net::Awaitable<Step<mail::Reply>> ClientSession::read_reply(Phase phase, Duration timeout) {
  stream_.expires_after(timeout);
  mail::ReplyParser parser;
  for (;;) {  // bounded by the parser and the deadline
    Result<std::string_view> line = co_await stream_.read_line(kReplyLine, kReplyLine);
    if (!line) co_return std::unexpected(broken_at(phase, line.error()));
    std::string copy;
    if (!secrets_.empty()) line = copy = masked(*line);
    if (transcript_) show('S', !secrets_.empty() && line->starts_with("334 ") ? "334 ****" : *line);
    auto step = parser.push(*line);
    if (!step) co_return std::unexpected(broken_at(phase, step.error()));
    if (*step == mail::ReplyParser::Step::kDone) co_return parser.take();
  }
}

// Something that was not asked for: usually the 421 of a server that is about to close. Anything else means that
// commands and replies are out of step, and no reply can be believed any more.
net::Awaitable<std::optional<Trouble>> ClientSession::unasked(Phase phase) {
  if (stream_.buffered() == 0) co_return std::nullopt;
  if (stream_.has_buffered_line()) {
    auto said = co_await read_reply(phase, timeouts_.quit);
    if (!said) co_return std::move(said.error());
    if (said->code == 421) co_return refused_at(phase, ErrorKind::kClosed, std::move(*said));
    std::string text = "the server spoke unasked: " + printable(said->line(), 200);
    co_return Trouble{phase, std::nullopt, Error{ErrorKind::kProtocol, std::move(text)}};
  }
  co_return Trouble{phase, std::nullopt, Error{ErrorKind::kProtocol, "the server spoke unasked"}};
}

net::Awaitable<Step<mail::Reply>> ClientSession::exchange(Phase phase, std::string line, Duration timeout,
                                                          std::string shown) {
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    co_return std::unexpected(Trouble{phase, std::nullopt, Error{ErrorKind::kBadInput, "a command must be one line"}});
  }
  std::optional<Trouble> early = co_await unasked(phase);
  if (early) co_return std::unexpected(std::move(*early));
  show('C', shown);
  line += "\r\n";
  stream_.expires_after(timeout);
  Status written = co_await stream_.write(line);
  if (!secrets_.empty()) explicit_bzero(line.data(), line.size());
  if (!written) co_return std::unexpected(broken_at(phase, written.error()));
  co_return co_await read_reply(phase, timeout);
}

net::Awaitable<Step<mail::Reply>> ClientSession::command(Phase phase, std::string line, Duration timeout) {
  std::string shown = line;
  auto reply = co_await exchange(phase, std::move(line), timeout, std::move(shown));
  if (!reply) co_return reply;
  if (!reply->positive()) co_return std::unexpected(refused_at(phase, ErrorKind::kRefused, std::move(*reply)));
  co_return reply;
}

net::Awaitable<Step<mail::Reply>> ClientSession::greet() {
  auto reply = co_await read_reply(Phase::kGreeting, timeouts_.greeting);
  if (!reply) co_return reply;
  if (reply->code != 220)
    co_return std::unexpected(refused_at(Phase::kGreeting, ErrorKind::kRefused, std::move(*reply)));
  co_return reply;
}

net::Awaitable<Step<Capabilities>> ClientSession::ehlo() {
  capabilities_ = {};
  auto reply = co_await command(Phase::kEhlo, (lmtp_ ? "LHLO " : "EHLO ") + hostname_, timeouts_.helo);
  if (!reply && lmtp_)
    co_return std::unexpected(std::move(reply.error()));  // RFC 2033 section 4.1: nothing else to say
  if (!reply) {
    // RFC 5321 section 3.2: a server that does not know EHLO answers 5yz, and may know HELO.
    if (reply.error().reply && reply.error().reply->permanent()) co_return co_await helo(std::move(reply.error()));
    co_return std::unexpected(std::move(reply.error()));
  }
  capabilities_ = parse_ehlo(*reply);
  co_return capabilities_;
}

// A server that does know EHLO and wants nothing to do with us says why to EHLO; HELO then often finds the connection
// closed, or a reply that says less.
net::Awaitable<Step<Capabilities>> ClientSession::helo(Trouble to_ehlo) {
  std::string refusal = to_ehlo.reply->line();
  auto reply = co_await command(Phase::kEhlo, "HELO " + hostname_, timeouts_.helo);
  if (!reply && !reply.error().reply) co_return std::unexpected(std::move(to_ehlo));
  if (!reply) {
    Trouble trouble = std::move(reply.error());
    if (trouble.reply->line() != refusal) {
      if (trouble.reply->lines.empty()) trouble.reply->lines.emplace_back();
      trouble.reply->lines.back() += fmt::format(" (the reply to HELO; to EHLO: {})", refusal);
      trouble.error.text = trouble.reply->line();
    }
    co_return std::unexpected(std::move(trouble));
  }
  mail::Reply first_line(reply->code, reply->lines.empty() ? "" : reply->lines.front());
  capabilities_ = parse_ehlo(first_line);
  capabilities_.esmtp = false;
  capabilities_.refusal = std::move(refusal);
  co_return capabilities_;
}

net::Awaitable<Step<mail::Reply>> ClientSession::starttls(std::shared_ptr<const tls::ClientContext> context) {
  auto reply = co_await exchange(Phase::kStartTls, "STARTTLS", timeouts_.starttls, "STARTTLS");
  if (!reply) co_return reply;
  if (reply->code != 220) co_return std::unexpected(refused_at(Phase::kStartTls, ErrorKind::kTls, std::move(*reply)));
  // RFC 3207 section 5 (and CVE-2011-0411): what came in the clear behind the 220 was put there for us to believe
  // later.
  if (stream_.buffered() > 0) {
    stream_.drop_buffered();
    Error injected{
        ErrorKind::kProtocol,
        "plaintext was injected behind the reply to STARTTLS: somebody between us and the server, or a broken server"};
    co_return std::unexpected(Trouble{Phase::kStartTls, std::nullopt, std::move(injected)});
  }
  // RFC 3207 section 4.2: what the server said before is forgotten.
  capabilities_ = {};
  stream_.expires_after(timeouts_.starttls);
  Status secured = co_await stream_.start_tls_client(std::move(context));
  if (!secured) co_return std::unexpected(Trouble{Phase::kTls, std::nullopt, secured.error()});
  stream_.drop_buffered();
  co_return reply;
}

net::Awaitable<void> ClientSession::quit() {
  auto reply = co_await exchange(Phase::kQuit, "QUIT", timeouts_.quit, "QUIT");
  (void)reply;  // whatever it says, we are done
  stream_.close();
}

}  // namespace sidegate::smtp
