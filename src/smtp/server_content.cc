// DATA and BDAT: from the command to the reply that makes the message ours.
#include "smtp/dot_reader.h"
#include "smtp/server_session.h"

namespace sidegate::smtp {
namespace {

// How much of a message that is refused already is still read for the sake of an orderly reply.
constexpr std::uint64_t kSwallowFloor = 64ull << 20;
constexpr std::uint64_t kSwallowFactor = 4;

}  // namespace

// RFC 5321 section 4.1.1.4
net::Awaitable<void> ServerSession::data(std::string_view arguments) {
  if (!arguments.empty()) {
    say("501 5.5.4 DATA takes no parameter");
    co_return;
  }
  std::string from = transaction_->reverse_path;
  if (auto refusal = co_await begin_content()) {
    answer("DATA", *refusal, from);
    co_return;
  }
  say("354 End data with <CR><LF>.<CR><LF>");
  if (!co_await flush()) co_return;
  ContentFault fault = ContentFault::kNone;
  ContentFacts facts;
  bool whole = co_await read_dotted(fault, facts);
  if (whole) co_await end_message("DATA", fault, facts);
}

// Whether content may come at all: the refusal, or nothing and the receiver waits for it.
net::Awaitable<std::optional<mail::Reply>> ServerSession::begin_content() {
  if (transaction_->accepted == 0) {
    // RFC 5321 section 3.3: no valid recipients
    if (transaction_->refused > 0) co_return mail::Reply(554, {5, 5, 1}, "No valid recipients");
    co_return mail::Reply(503, {5, 5, 1}, "Send RCPT first");
  }
  mail::Reply reply = co_await receiver_.begin(info_);
  if (reply.positive()) co_return std::nullopt;
  forget_transaction();
  co_return reply;
}

// Reads to the end of the message, whatever it contains. False: the peer was lost, or refused for good.
net::Awaitable<bool> ServerSession::read_dotted(ContentFault& fault, ContentFacts& facts) {
  DotReader reader(max_line());
  ContentPace pace = content_pace();
  while (!reader.done()) {
    auto bytes = co_await read_content(pace);
    if (!bytes) {
      lost_in_content("DATA", bytes.error(), pace);
      co_return false;
    }
    std::string_view rest = *bytes;
    while (!rest.empty() && !reader.done()) {
      DotReader::Step step = reader.next(rest);
      rest.remove_prefix(step.consumed);
      if (keeps(step.content, reader.fault())) co_await receiver_.content(step.content);
    }
    stream_.consume(bytes->size() - rest.size());
    if (endless(transaction_->octets)) {
      answer("DATA", content_refusal(reader.fault()), transaction_->reverse_path);
      open_ = false;
      co_return false;
    }
  }
  fault = reader.fault();
  facts = {reader.eight_bit(), static_cast<std::uint32_t>(reader.longest_line())};
  co_return true;
}

ContentPace ServerSession::content_pace() const {
  return {settings_->data_timeout, settings_->min_data_rate};  // RFC 5321 section 4.5.3.2.5
}

net::Awaitable<Result<std::string_view>> ServerSession::read_content(ContentPace& pace) {
  const SteadyTime began = stream_.now();
  stream_.expires_after(pace.left());
  auto bytes = co_await stream_.read_some();
  if (bytes) pace.came(bytes->size(), stream_.now() - began);
  co_return bytes;
}

// RFC 5321 section 3.8: what can still be said is said.
void ServerSession::lost_in_content(std::string_view command, const Error& error, const ContentPace& pace) {
  if (error.kind != ErrorKind::kTimeout || shutting_down_ || !pace.slow()) return lost(error);
  std::string from = transaction_ ? transaction_->reverse_path : std::string();
  end_ = "timeout";
  answer(command, mail::Reply(421, {4, 4, 2}, "Content comes too slowly, closing"), from);
}

// RFC 3030 section 2
net::Awaitable<void> ServerSession::bdat(std::string_view arguments) {
  auto command = parse_bdat(arguments);
  if (!command || endless(command->size)) {
    // Its octets cannot be told from commands any more, or are too many to read for nothing.
    say(command ? mail::Reply(552, {5, 3, 4}, "Message is too large") : command.error());
    open_ = false;
    co_return;
  }
  if (command->size == 0 && !command->last && !idle_command()) co_return;
  std::string from = transaction_ ? transaction_->reverse_path : std::string();
  std::optional<mail::Reply> refusal = co_await admit_chunk(*command);
  // RFC 3030 section 2: the octets follow the command, so they are read whatever the answer will be.
  std::optional<BdatReader> scratch;
  ContentPace scratch_pace = content_pace();
  if (refusal) {
    scratch.emplace(max_line());
    forget_transaction();
  }
  BdatReader& reader = scratch ? *scratch : *transaction_->chunks;
  reader.begin_chunk(command->size, command->last);
  if (!co_await read_chunk(reader, scratch ? scratch_pace : *transaction_->pace)) co_return;
  if (refusal) {
    answer("BDAT", *refusal, from);
    co_return;
  }
  if (transaction_->spoiled || reader.fault() != ContentFault::kNone || command->last) {
    ContentFacts facts{reader.eight_bit(), static_cast<std::uint32_t>(reader.longest_line())};
    co_await end_message("BDAT", reader.fault(), facts);
    co_return;
  }
  say("250 2.0.0 " + std::to_string(command->size) + " octets received");
}

net::Awaitable<std::optional<mail::Reply>> ServerSession::admit_chunk(const BdatCommand& command) {
  if (!in_transaction())
    co_return mail::Reply(503, {5, 5, 1}, phase_ == kStart ? "Send EHLO or HELO first" : "Send MAIL first");
  if (phase_ != kChunks) {
    if (auto refusal = co_await begin_content()) co_return refusal;
    transaction_->chunks.emplace(max_line());
    transaction_->pace = content_pace();
    phase_ = kChunks;
  }
  // Too large already by what is announced: not one octet more goes to the receiver.
  if (over_size(transaction_->octets + command.size)) transaction_->too_large = true;
  co_return std::nullopt;
}

// Reads one chunk; without a transaction it is thrown away. False: the peer was lost.
net::Awaitable<bool> ServerSession::read_chunk(BdatReader& reader, ContentPace& pace) {
  while (!reader.chunk_done()) {
    if (!out_.empty() && stream_.buffered() == 0 && !co_await flush()) co_return false;
    auto bytes = co_await read_content(pace);
    if (!bytes) {
      lost_in_content("BDAT", bytes.error(), pace);
      co_return false;
    }
    std::string_view content = reader.next(*bytes);
    if (transaction_ && keeps(content, reader.fault())) co_await receiver_.content(content);
    stream_.consume(content.size());
  }
  co_return true;
}

// Counts, and says whether this still goes to the receiver, which is told once when nothing does any more.
bool ServerSession::keeps(std::string_view content, ContentFault fault) {
  Transaction& t = *transaction_;
  t.octets += content.size();
  if (over_size(t.octets)) t.too_large = true;
  if (!t.spoiled && (t.too_large || fault != ContentFault::kNone)) {
    t.spoiled = true;
    receiver_.abort();
  }
  return !t.spoiled && !content.empty();
}

// The message is whole: refused for what was found in it, or given to the receiver, whose 250 makes it ours.
net::Awaitable<void> ServerSession::end_message(std::string_view command, ContentFault fault, ContentFacts facts) {
  bool fit = fault == ContentFault::kNone && !transaction_->spoiled && !transaction_->too_large;
  mail::Reply reply;
  if (fit) {
    reply = co_await receiver_.end(info_, facts);
  } else {
    receiver_.abort();
    reply = content_refusal(fault);
  }
  answer(command, reply, transaction_->reverse_path);
  transaction_.reset();
  phase_ = kGreeted;
  if (reply.positive()) errors_ = idle_commands_ = 0;
  // At once, whatever is pipelined behind it: a reply that is lost makes a duplicate.
  co_await flush();
}

mail::Reply ServerSession::content_refusal(ContentFault fault) const {
  switch (fault) {
    case ContentFault::kBareCr:
      return {554, {5, 6, 0}, "Bare CR in content (RFC 5321 section 2.3.8)"};
    case ContentFault::kBareLf:
      return {554, {5, 6, 0}, "Bare LF in content (RFC 5321 section 2.3.8)"};
    case ContentFault::kNul:
      return {554, {5, 6, 0}, "NUL in content (RFC 5321 section 4.5.2)"};
    case ContentFault::kLineTooLong:
      // RFC 5321 section 4.5.3.1.9
      return {500, {5, 6, 0}, "Line in content is longer than " + std::to_string(max_line()) + " octets"};
    case ContentFault::kNone:
      break;
  }
  return {552, {5, 3, 4}, "Message is larger than " + std::to_string(settings_->max_message_size) + " octets"};
}

// RFC 1870 section 5: 0 stands for no limit.
bool ServerSession::over_size(std::uint64_t octets) const {
  return settings_->max_message_size != 0 && octets > settings_->max_message_size;
}

bool ServerSession::endless(std::uint64_t octets) const {
  return settings_->max_message_size != 0 && octets / kSwallowFactor > settings_->max_message_size + kSwallowFloor;
}

std::size_t ServerSession::max_line() const {
  return settings_->long_lines == LongLines::kPass ? settings_->max_long_line : settings_->max_text_line;
}

}  // namespace sidegate::smtp
