// send(): one mail transaction. MAIL, RCPT and DATA (or BDAT with the message) go out in batches of one write each, one
// command a batch where PIPELINING is not offered; then the replies are read, one for each command, in order.
//
// What it must never do: say that a message was taken when it was not. Two things guard that. A reply of the wrong
// class (250 to DATA, 354 to RCPT) or one too many means that we are out of step: the connection is done with. And
// `uncertain` is only said when every octet of the content, the end mark included, was written, and somebody may have
// been accepted.
#include <algorithm>

#include "base/text.h"
#include "smtp/client_dots.h"
#include "smtp/client_session.h"
#include "smtp/client_trouble.h"

namespace sidegate::smtp {
namespace {

// RFC 2920 section 3.1: the server must be able to write its replies while we write commands, or both wait for ever. At
// most this many commands are under way, so that their replies (512 octets each) stay below 64 KiB.
constexpr std::size_t kBatchCommands = 100;
constexpr std::size_t kBatchOctets = 32 * 1024;
constexpr std::size_t kPiece = 64 * 1024;      // of content, a write
constexpr std::size_t kLastPiece = 80 * 1024;  // a short rest goes with the piece before it

enum class Verb : std::uint8_t { kRset, kMail, kRcpt, kData, kBdat };
struct Command {
  Verb verb;
  std::size_t recipient = 0;
};

bool is_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// 220, 221 and 235 answer other commands than those of a transaction: with them we are out of step.
bool accepts(const mail::Reply& reply) {
  return reply.positive() && reply.code != 220 && reply.code != 221 && reply.code != 235;
}
bool refuses(const mail::Reply& reply) {
  return reply.transient() || reply.permanent();
}

}  // namespace

class ClientTransaction {
 public:
  ClientTransaction(ClientSession& session, const Transmission& transmission) : s_(session), t_(transmission) {
    r_.recipients.resize(t_.recipients.size());
  }
  net::Awaitable<Transmitted> run();

 private:
  bool well_formed();
  std::string next_batch(std::vector<Command>& commands);
  void add(std::string& text, std::vector<Command>& commands, Command command, std::string line);
  net::Awaitable<bool> write_batch(std::string text, bool with_content);
  net::Awaitable<bool> read_batch(std::vector<Command> commands);
  bool take(Command command, mail::Reply reply);
  bool take_bdat(mail::Reply reply);
  net::Awaitable<bool> gather_content();
  net::Awaitable<void> send_data();
  net::Awaitable<void> send_lone_dot();
  net::Awaitable<bool> write_piece(std::string_view piece, Phase phase);
  net::Awaitable<void> write_failed(Phase phase, std::size_t replies);
  net::Awaitable<void> read_final();
  net::Awaitable<bool> read_finals();

  bool hopeless() const;  // nobody can be accepted any more
  void broke(Trouble trouble) {
    r_.broken = std::move(trouble);
    r_.usable = false;
  }
  // MAIL refused, and a recipient accepted: what came of MAIL is not known, and after the lone dot such a server would
  // take an empty message. With BDAT it may have taken the whole one.
  bool contradicted(const mail::Reply& reply) {
    r_.mail.reset();
    mail_refused_ = false;
    ++accepted_;
    return out_of_step(Phase::kRcpt, reply);
  }
  bool out_of_step(Phase phase, const mail::Reply& reply) {
    std::string text = fmt::format("{} is no answer to {}", printable(reply.line(), 200), name(phase));
    broke(Trouble{phase, std::nullopt, Error{ErrorKind::kProtocol, std::move(text)}});
    return false;
  }

  ClientSession& s_;
  const Transmission& t_;
  Transmitted r_;
  std::string content_;             // for BDAT
  std::size_t next_recipient_ = 0;  // not yet written
  std::size_t answered_ = 0, accepted_ = 0;
  bool mail_written_ = false, mail_refused_ = false;
  bool data_written_ = false;     // DATA or BDAT
  bool content_written_ = false;  // all of it, with its end mark
};

bool ClientTransaction::well_formed() {
  bool good = !t_.recipients.empty() && t_.content != nullptr && is_line(t_.reverse_path) && is_line(t_.parameters);
  for (const auto& recipient : t_.recipients) good = good && is_line(recipient.path) && is_line(recipient.parameters);
  if (!good)
    r_.broken =
        Trouble{Phase::kMail, std::nullopt, Error{ErrorKind::kBadInput, "an address or parameter is not one line"}};
  return good;
}

bool ClientTransaction::hopeless() const {
  return mail_refused_ || (answered_ == t_.recipients.size() && accepted_ == 0);
}

net::Awaitable<Transmitted> ClientTransaction::run() {
  if (!well_formed()) co_return std::move(r_);
  std::optional<Trouble> early = co_await s_.unasked(Phase::kMail);
  if (early) {
    broke(std::move(*early));
    co_return std::move(r_);
  }
  if (t_.bdat) {
    bool gathered = co_await gather_content();
    if (!gathered) co_return std::move(r_);
  }
  while (!data_written_ && !hopeless()) {
    std::vector<Command> commands;
    std::string text = next_batch(commands);
    bool with_content = commands.back().verb == Verb::kBdat;
    bool written = co_await write_batch(std::move(text), with_content);
    if (!written) {
      co_await write_failed(Phase::kMail, commands.size());
      co_return std::move(r_);
    }
    bool in_step = co_await read_batch(std::move(commands));
    if (!in_step) co_return std::move(r_);
  }
  if (r_.data && r_.data->code == 354) {
    if (hopeless()) {
      co_await send_lone_dot();
    } else {
      co_await send_data();
    }
  }
  bool ended = (r_.final && r_.final->positive()) || !r_.finals.empty();
  s_.needs_reset_ = !mail_refused_ && !ended;
  co_return std::move(r_);
}

void ClientTransaction::add(std::string& text, std::vector<Command>& commands, Command command, std::string line) {
  s_.show('C', line);
  text += line;
  text += "\r\n";
  commands.push_back(command);
}

// The next commands to write together. DATA comes with the last recipients: when all are refused, the server refuses
// DATA or gets the lone dot (RFC 2920 section 3.1).
std::string ClientTransaction::next_batch(std::vector<Command>& commands) {
  const std::size_t limit = s_.capabilities_.pipelining ? kBatchCommands : 1;
  std::string text;
  auto room = [&] { return commands.size() < limit && text.size() < kBatchOctets; };
  if (s_.needs_reset_) {
    add(text, commands, {Verb::kRset}, "RSET");
    s_.needs_reset_ = false;
  }
  if (room() && !mail_written_) {
    add(text, commands, {Verb::kMail}, fmt::format("MAIL FROM:<{}>{}", t_.reverse_path, t_.parameters));
    mail_written_ = true;
  }
  while (room() && next_recipient_ < t_.recipients.size()) {
    const OutgoingRecipient& to = t_.recipients[next_recipient_];
    add(text, commands, {Verb::kRcpt, next_recipient_++}, fmt::format("RCPT TO:<{}>{}", to.path, to.parameters));
  }
  if (room() && next_recipient_ == t_.recipients.size()) {
    data_written_ = true;
    if (t_.bdat) {
      // RFC 3030 section 2: the octets follow the command at once.
      add(text, commands, {Verb::kBdat}, fmt::format("BDAT {} LAST", content_.size()));
    } else {
      add(text, commands, {Verb::kData}, "DATA");
    }
  }
  return text;
}

net::Awaitable<bool> ClientTransaction::write_batch(std::string text, bool with_content) {
  s_.stream_.expires_after(with_content ? s_.timeouts_.data_block : s_.timeouts_.mail);
  if (with_content) s_.show('C', fmt::format("({} octets of message)", content_.size()));
  // Two co_awaits rather than one of a conditional expression: plain for every compiler.
  Status written;
  if (with_content) {
    written = co_await s_.stream_.write2(text, content_);
  } else {
    written = co_await s_.stream_.write(text);
  }
  if (!written) {
    broke(broken_at(with_content ? Phase::kContent : Phase::kMail, written.error()));
    co_return false;
  }
  content_written_ = with_content;
  co_return true;
}

// A connection that broke while we wrote often holds the reason, unread: "421 too busy", "552 too large". Only a
// refusal is looked for: what was not written to its end cannot have been taken.
net::Awaitable<void> ClientTransaction::write_failed(Phase phase, std::size_t replies) {
  for (std::size_t i = 0; i <= replies; ++i) {
    auto said = co_await s_.read_reply(phase, s_.timeouts_.quit);
    if (!said) co_return;
    if (!refuses(*said)) continue;
    if (!r_.broken->reply && said->code == 421) {
      r_.broken = refused_at(phase, ErrorKind::kClosed, std::move(*said));
      co_return;
    }
    if (phase == Phase::kContent && said->permanent())
      r_.final = std::move(*said);
    else
      r_.broken->error.text += fmt::format("; before that the server said: {}", printable(said->line(), 200));
    co_return;
  }
}

net::Awaitable<bool> ClientTransaction::read_batch(std::vector<Command> commands) {
  for (const Command& command : commands) {
    Phase phase = Phase::kMail;
    Duration timeout = s_.timeouts_.mail;
    switch (command.verb) {
      case Verb::kRset:
      case Verb::kMail:
        break;
      case Verb::kRcpt:
        phase = Phase::kRcpt, timeout = s_.timeouts_.rcpt;
        break;
      case Verb::kData:
        phase = Phase::kData, timeout = s_.timeouts_.data_init;
        break;
      case Verb::kBdat:
        phase = Phase::kFinal, timeout = s_.timeouts_.data_done;
        break;
    }
    if (command.verb == Verb::kBdat && s_.lmtp_ && accepted_ > 0) co_return co_await read_finals();
    auto reply = co_await s_.read_reply(phase, timeout);
    if (!reply) {
      // With BDAT the message is already there, whichever reply is missing.
      r_.uncertain = content_written_ && !hopeless();
      broke(std::move(reply.error()));
      co_return false;
    }
    if (reply->code == 421) {
      broke(refused_at(phase, ErrorKind::kClosed, std::move(*reply)));
      co_return false;
    }
    bool in_step = take(command, std::move(*reply));
    if (!in_step) {
      r_.uncertain = content_written_ && !hopeless();
      co_return false;
    }
  }
  co_return true;
}

bool ClientTransaction::take(Command command, mail::Reply reply) {
  switch (command.verb) {
    case Verb::kRset:
      return accepts(reply) || refuses(reply) || out_of_step(Phase::kMail, reply);
    case Verb::kMail:
      if (!accepts(reply) && !refuses(reply)) return out_of_step(Phase::kMail, reply);
      mail_refused_ = refuses(reply);
      r_.mail = std::move(reply);
      return true;
    case Verb::kRcpt:
      if (!accepts(reply) && !refuses(reply)) return out_of_step(Phase::kRcpt, reply);
      ++answered_;
      if (mail_refused_ && accepts(reply)) return contradicted(reply);
      if (mail_refused_) return true;  // "503 MAIL first" says nothing about this recipient
      if (accepts(reply)) ++accepted_;
      r_.recipients[command.recipient] = std::move(reply);
      return true;
    case Verb::kData:
      if (reply.code != 354 && !refuses(reply)) return out_of_step(Phase::kData, reply);
      // A reply too many would later be taken for the one after the dot.
      if (reply.code == 354 && s_.stream_.buffered() > 0) return out_of_step(Phase::kData, reply);
      r_.data = std::move(reply);
      return true;
    case Verb::kBdat:
      return take_bdat(std::move(reply));
  }
  return false;
}

bool ClientTransaction::take_bdat(mail::Reply reply) {
  if (!accepts(reply) && !refuses(reply)) return out_of_step(Phase::kFinal, reply);
  // No 354 stands between the commands' replies and this one, so a reply too many before it would pass for it.
  if (s_.stream_.buffered() > 0) return out_of_step(Phase::kFinal, reply);
  // A server that does not know the BDAT it offered takes the message for commands.
  if (reply.code == 500 || reply.code == 501 || reply.code == 502 || reply.code == 504) r_.usable = false;
  if (!hopeless()) r_.final = std::move(reply);
  return true;
}

// BDAT names the number of octets before them: they are gathered first (the caller chose BDAT for a small message).
net::Awaitable<bool> ClientTransaction::gather_content() {
  t_.content->rewind();
  content_.reserve(t_.content->size());
  for (;;) {
    Result<std::string_view> piece = co_await t_.content->next();
    if (!piece) {  // ours, and nothing was written: the connection is as good as before
      r_.broken = Trouble{Phase::kContent, std::nullopt, piece.error()};
      co_return false;
    }
    if (piece->empty()) co_return true;
    content_ += *piece;
  }
}

net::Awaitable<bool> ClientTransaction::write_piece(std::string_view piece, Phase phase) {
  s_.stream_.expires_after(s_.timeouts_.data_block);
  Status written = co_await s_.stream_.write(piece);
  if (written) co_return true;
  broke(broken_at(phase, written.error()));
  co_await write_failed(phase, 0);
  co_return false;
}

net::Awaitable<void> ClientTransaction::send_data() {
  t_.content->rewind();
  DotStuffing stuffing;
  std::string out;
  out.reserve(std::min<std::uint64_t>(t_.content->size() + t_.content->size() / 32 + 64, kLastPiece + 64));
  const std::uint64_t size = t_.content->size();
  std::uint64_t taken = 0;
  for (;;) {
    Result<std::string_view> piece = co_await t_.content->next();
    if (!piece) {  // no dot: what the server has by now must not become a message
      broke(Trouble{Phase::kContent, std::nullopt, piece.error()});
      co_return;
    }
    if (piece->empty()) break;
    std::string_view rest = *piece;
    while (!rest.empty()) {
      std::string_view part = rest.substr(0, std::max<std::size_t>(kPiece - std::min(out.size(), kPiece), 1));
      stuffing.append(out, part);
      rest.remove_prefix(part.size());
      taken += part.size();
      bool short_rest = taken <= size && out.size() + (size - taken) <= kLastPiece;
      if (out.size() < kPiece || (short_rest && out.size() < kLastPiece)) continue;
      bool written = co_await write_piece(out, Phase::kContent);
      if (!written) co_return;
      out.clear();
    }
  }
  out += stuffing.end();
  s_.show('C', fmt::format("({} octets of message)", taken));
  s_.show('C', ".");
  bool written = co_await write_piece(out, Phase::kContent);
  if (!written) co_return;
  content_written_ = true;
  co_await read_final();
}

// RFC 2033 section 4.2: one reply for each RCPT that was accepted, in their order. Those that do not come any more are
// uncertain, the others stand.
net::Awaitable<bool> ClientTransaction::read_finals() {
  r_.finals.resize(t_.recipients.size());
  for (std::size_t i = 0; i < r_.recipients.size(); ++i) {
    if (!r_.recipients[i] || !accepts(*r_.recipients[i])) continue;
    auto reply = co_await s_.read_reply(Phase::kFinal, s_.timeouts_.data_done);
    if (!reply) {
      r_.uncertain = true;
      broke(std::move(reply.error()));
      co_return false;
    }
    if (reply->code == 421) {  // it goes away, and took nothing for this recipient and those behind it
      broke(refused_at(Phase::kFinal, ErrorKind::kClosed, std::move(*reply)));
      co_return false;
    }
    if (!accepts(*reply) && !refuses(*reply)) {
      r_.uncertain = true;
      co_return out_of_step(Phase::kFinal, *reply);
    }
    // A server that does not know the BDAT it offered answers once and takes the message for commands.
    if (t_.bdat && (reply->code == 500 || reply->code == 501 || reply->code == 502 || reply->code == 504)) {
      r_.usable = false;
      r_.final = std::move(*reply);
      r_.finals.clear();
      co_return true;
    }
    r_.finals[i] = std::move(*reply);
  }
  if (s_.stream_.buffered() > 0) r_.usable = false;
  co_return true;
}

net::Awaitable<void> ClientTransaction::read_final() {
  if (s_.lmtp_) {
    co_await read_finals();
    co_return;
  }
  auto reply = co_await s_.read_reply(Phase::kFinal, s_.timeouts_.data_done);
  if (!reply) {
    r_.uncertain = true;
    broke(std::move(reply.error()));
    co_return;
  }
  if (reply->code == 421) {  // a refusal in so many words: it was not taken
    broke(refused_at(Phase::kFinal, ErrorKind::kClosed, std::move(*reply)));
    co_return;
  }
  if (!accepts(*reply) && !refuses(*reply)) {
    r_.uncertain = true;
    out_of_step(Phase::kFinal, *reply);
    co_return;
  }
  r_.final = std::move(*reply);
  if (s_.stream_.buffered() > 0) r_.usable = false;  // more than was asked for: the next reply could not be believed
}

// RFC 2920 section 3.1: after 354 with every recipient refused, the lone dot; and no 250 after it is believed.
net::Awaitable<void> ClientTransaction::send_lone_dot() {
  s_.show('C', ".");
  bool written = co_await write_piece(".\r\n", Phase::kFinal);
  if (!written) co_return;
  if (s_.lmtp_) {  // RFC 2033 section 4.2: it should have refused DATA (503), and now owes as many replies as it took
                   // RCPTs
    r_.usable = false;
    co_return;
  }
  auto reply = co_await s_.read_reply(Phase::kFinal, s_.timeouts_.data_done);
  if (!reply) {
    broke(std::move(reply.error()));
  } else if (reply->code == 421) {
    broke(refused_at(Phase::kFinal, ErrorKind::kClosed, std::move(*reply)));
  }
}

net::Awaitable<Transmitted> ClientSession::send(const Transmission& transmission) {
  ClientTransaction transaction(*this, transmission);
  co_return co_await transaction.run();
}

}  // namespace sidegate::smtp
